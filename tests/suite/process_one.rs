//! Process environments set by parents, containers and job managers: an ignored `SIGCHLD`, blocked signals, orphans,
//! and signals to a whole job.
#![expect(
    clippy::unwrap_used,
    reason = "test helpers panic on an unexpected result, as tests do"
)]

use std::fs;
use std::process::{Command, Stdio};

use rustix::process::{Pid, Signal, kill_process};

use crate::support::daemon::{Daemon, accepts, wait_until};
use crate::support::{TestEnv, ignored};
use crate::wrap;

const JETOND: &str = env!("CARGO_BIN_EXE_jetond");
const JETON: &str = env!("CARGO_BIN_EXE_jeton");

/// Returns a command that runs a program as process 1 of a namespace, or `None` if that is impossible here.
fn as_process_one(env: &TestEnv, test: &str) -> Option<Command> {
    let unshare = ["--pid", "--fork", "--kill-child", "--mount-proc"];
    let possible = Command::new("unshare")
        .args(unshare)
        .arg("true")
        .stderr(Stdio::null())
        .status();
    if !possible.is_ok_and(|status| status.success()) {
        ignored(&format!("{test}: no process namespaces here"));
        return None;
    }
    let mut command = env.command("unshare");
    command.args(unshare);
    Some(command)
}

fn children(pid: u32) -> Vec<u32> {
    let list = fs::read_to_string(format!("/proc/{pid}/task/{pid}/children")).unwrap_or_default();
    list.split_whitespace()
        .map(|pid| pid.parse().unwrap())
        .collect()
}

/// Creates orphans that end at about the same moment, some of them killed by a real-time signal.
const ORPHANS: &str = r#"
orphans() { for i in 1 2 3 4 5 6 7 8 9 10; do sh -c 'sleep 0.02 & sh -c "kill -40 \$\$" & exit 0'; done; }
zombies() { awk '/^State:/ { z = $2 == "Z" } /^PPid:/ && z && $2 == 1 { n++ } END { print n + 0 }' /proc/[0-9]*/status 2>/dev/null; }
gone() { n=0; while z=$(zombies); [ "$z" != 0 ] && [ $n -lt 600 ]; do n=$((n + 1)); sleep 0.05; done; echo "$z"; }
"#;

#[test]
fn run_as_process_one_reaps_orphans_and_returns_its_commands_exit_code() {
    let env = TestEnv::with_sandbox(3_600);
    let test = "run_as_process_one_reaps_orphans_and_returns_its_commands_exit_code";
    let Some(mut command) = as_process_one(&env, test) else {
        return;
    };
    env.enrol("research");
    let script = format!(
        r#"{ORPHANS}
orphans; echo "zombies: $(gone)"
# The daemon among them: its owner waits for it, and starts the next one.
daemon=$(grep -l '^Name:.jetond$' /proc/[0-9]*/status | tr -dc '0-9\n' | grep -vx 1)
orphans; kill -KILL "$daemon"; orphans
echo "zombies: $(gone)"
{JETON} ready research --wait 30 && echo ready
exit 7
"#
    );
    command.args([JETOND, "run", "--", "/bin/sh", "-c", &script]);
    let ended = env.finish("run", command, b"", false);
    let zombies = ended.stdout.matches("zombies: 0\n").count();
    assert_eq!((ended.code, zombies), (7, 2), "{ended:?}");
    assert!(ended.stdout.ends_with("ready\n"), "{ended:?}");
    assert_eq!(ended.stderr.matches("the daemon has ended").count(), 1);
}

#[test]
fn a_daemon_that_is_process_one_reaps_orphans() {
    let env = TestEnv::with_sandbox(3_600);
    let test = "a_daemon_that_is_process_one_reaps_orphans";
    let Some(mut command) = as_process_one(&env, test) else {
        return;
    };
    env.enrol("research");
    command.args([JETOND, "run"]);
    let mut daemon = env.start_command(command);
    let inside = children(daemon.child.id())[0];
    let mut enter = env.command("nsenter");
    let script = format!("{ORPHANS}\norphans");
    let target = inside.to_string();
    enter.args(["--target", &target, "--pid", "/bin/sh", "-c", &script]);
    let made = env.finish("nsenter", enter, b"", false);
    assert_eq!(made.code, 0, "{made:?}");
    wait_until("the orphans to be reaped", || children(inside).is_empty());
    daemon.wait_for_log("reaped an orphan");
    env.token(&daemon, "research");
    kill_process(Pid::from_raw(inside.cast_signed()).unwrap(), Signal::TERM).unwrap();
    assert!(daemon.wait().success());
}

#[test]
fn run_as_a_subreaper_reaps_orphans() {
    let subreaper = "import ctypes, os, sys; ctypes.CDLL(None).prctl(36, 1, 0, 0, 0); os.execv(sys.argv[1], sys.argv[1:])";
    let python = Command::new("python3").arg("--version").output();
    if !cfg!(target_os = "linux") || python.is_err() {
        ignored("run_as_a_subreaper_reaps_orphans: there is no python3 to make it one");
        return;
    }
    let env = TestEnv::new();
    let script = format!("{ORPHANS}\norphans; echo $$ >\"$0\"; exec sleep 600");
    let pid = env.path("out/pid");
    let mut command = env.command("python3");
    command
        .args([
            "-c", subreaper, JETOND, "run", "--", "/bin/sh", "-c", &script,
        ])
        .arg(&pid);
    let mut supervisor = env.spawn_command(command);
    let command = wrap::pid_in(&env, "out/pid");
    // The daemon and the command remain.
    wait_until("the orphans to be reaped", || {
        children(supervisor.child.id()).len() == 2
    });
    kill_process(command, Signal::TERM).unwrap();
    assert_eq!(supervisor.wait().code(), Some(143));
}

// === Inherited signal settings ===

/// Returns a command that starts a program with these signals blocked and `SIGCHLD` ignored.
fn badly_started(env: &TestEnv) -> Command {
    let mut command = env.command("env");
    command.args(["--ignore-signal=CHLD", "--block-signal=TERM,HUP,CHLD"]);
    command
}

/// Parses a signal mask of `/proc/PID/status`.
fn mask(status: &str, name: &str) -> u64 {
    let mut lines = status.lines();
    let line = lines.find_map(|line| line.strip_prefix(name)).unwrap();
    u64::from_str_radix(line.trim_start_matches(':').trim(), 16).unwrap()
}

const fn bit(signal: Signal) -> u64 {
    1 << (signal.as_raw() - 1)
}

#[test]
fn a_daemon_gets_signals_that_its_parent_had_blocked() {
    let env = TestEnv::with_sandbox(3_600);
    env.enrol("research");
    let mut command = badly_started(&env);
    command.args([JETOND, "run"]);
    let mut daemon = env.start_command(command);
    daemon.signal(Signal::HUP);
    daemon.wait_for_log("reloaded");
    let status = fs::read_to_string(format!("/proc/{}/status", daemon.child.id())).unwrap();
    assert_eq!(mask(&status, "SigBlk"), 0);
    assert_eq!(mask(&status, "SigIgn") & bit(Signal::CHILD), 0);
    env.stop(&mut daemon);
}

#[test]
fn a_command_of_run_inherits_the_signal_mask_and_run_returns_its_exit_status() {
    let env = TestEnv::new();
    let mut command = badly_started(&env);
    command.args([
        JETOND,
        "run",
        "--",
        "grep",
        "-E",
        "Sig(Blk|Ign)",
        "/proc/self/status",
    ]);
    let ended = env.finish("run", command, b"", false);
    assert_eq!(ended.code, 0, "{ended:?}");
    let blocked = bit(Signal::TERM) | bit(Signal::HUP) | bit(Signal::CHILD);
    assert_eq!(mask(&ended.stdout, "SigBlk"), blocked, "{ended:?}");
    assert_eq!(
        mask(&ended.stdout, "SigIgn") & bit(Signal::CHILD),
        0,
        "{ended:?}"
    );

    let mut command = badly_started(&env);
    command.args([JETOND, "run", "--", "/bin/sh", "-c", "exit 3"]);
    let ended = env.finish("run", command, b"", false);
    assert_eq!(ended.code, 3, "{ended:?}");

    // Here the supervisor itself starts with blocked signals.
    let mut command = badly_started(&env);
    let (pid, text) = (env.path("out/pid"), "echo $$ >\"$0\"; exec sleep 600");
    command
        .args([JETOND, "run", "--", "/bin/sh", "-c", text])
        .arg(&pid);
    let mut supervisor = env.spawn_command(command);
    let command = wrap::pid_in(&env, "out/pid");
    supervisor.signal(Signal::TERM);
    // The command has blocked the signal that is passed to it, so the test kills it.
    wait_until("the signal to be forwarded", || {
        let status = fs::read_to_string(format!("/proc/{}/status", command.as_raw_pid())).unwrap();
        mask(&status, "ShdPnd") & bit(Signal::TERM) != 0
    });
    kill_process(command, Signal::KILL).unwrap();
    assert_eq!(supervisor.wait().code(), Some(137));
}

#[test]
fn variables_of_a_service_manager_reach_the_command_but_not_the_daemon() {
    let env = TestEnv::new();
    let variables = [
        ("NOTIFY_SOCKET", "/run/notify"),
        ("WATCHDOG_USEC", "30000000"),
        ("WATCHDOG_PID", "1"),
        ("LISTEN_FDS", "1"),
        ("LISTEN_PID", "1"),
        ("LISTEN_PIDFDID", "1"),
        ("LISTEN_FDNAMES", "jeton"),
    ];
    let (pid, environ) = (env.path("out/pid"), env.path("out/environ"));
    let text = "env >\"$1\"; echo $$ >\"$0\"; exec sleep 600";
    let mut command = env.jetond_command(&["run", "--", "/bin/sh", "-c", text]);
    command.args([&pid, &environ]).envs(variables);
    let mut supervisor = env.spawn_command(command);
    let command = wrap::pid_in(&env, "out/pid");
    let of_command = fs::read_to_string(environ).unwrap();
    let daemon = wrap::daemons(&env)[0];
    // Only root can read the environment of a process that is not dumpable.
    match fs::read_to_string(format!("/proc/{}/environ", daemon.as_raw_pid())) {
        Ok(of_daemon) => {
            for (name, value) in variables {
                assert!(of_command.contains(&format!("{name}={value}\n")), "{name}");
                assert!(!of_daemon.contains(name), "{name}");
            }
        }
        Err(error) => ignored(&format!("the daemon's environment cannot be seen: {error}")),
    }
    kill_process(command, Signal::TERM).unwrap();
    assert_eq!(supervisor.wait().code(), Some(143));
}

// === Signals to a whole job ===

#[test]
fn a_signal_to_the_whole_job_keeps_tokens_until_the_command_ends() {
    let env = TestEnv::with_sandbox(3_600);
    env.enrol("research");
    let (pid, go) = (env.path("out/pid"), env.path("out/go"));
    let text = format!(
        "trap 'read x <\"{1}\"; {JETON} token research >/dev/null && echo checkpoint is written; exit 9' TERM USR1; \
         mkfifo \"{1}\"; echo $$ >\"{0}\"; while :; do sleep 0.05; done",
        pid.display(),
        go.display()
    );
    let all = [
        Signal::USR1,
        Signal::USR2,
        Signal::INT,
        Signal::QUIT,
        Signal::TERM,
        Signal::TERM,
    ];
    let mut supervisor = env.spawn_command(wrap::script(&env, &text));
    let command = wrap::pid_in(&env, "out/pid");
    let daemon = wrap::daemons(&env)[0];
    let socket = wrap::folders(&env)[0].join("jeton/jeton.sock");
    for signal in all {
        kill_process(daemon, signal).unwrap();
    }
    kill_process(command, Signal::TERM).unwrap();
    supervisor.signal(Signal::TERM);
    let target = "/v1/profiles/research/token";
    assert_eq!(env.request(&socket, "GET", target, &[], b"").status, 200);
    assert_eq!(wrap::daemons(&env), [daemon], "the same daemon still runs");
    // The daemon still obeys a reload.
    kill_process(daemon, Signal::HUP).unwrap();
    supervisor.wait_for_log("reloaded");
    fs::write(go, "\n").unwrap();
    assert_eq!(supervisor.wait().code(), Some(9), "{}", supervisor.log());
    assert!(supervisor.log().contains("checkpoint is written\n"));
    assert_ended(&env, &supervisor);
}

/// Asserts that nothing is left and that the daemon was not started a second time.
#[track_caller]
fn assert_ended(env: &TestEnv, supervisor: &Daemon) {
    wrap::assert_nothing_left(env);
    assert!(!supervisor.log().contains("the daemon has ended"));
    assert!(!accepts(&supervisor.socket));
}
