//! `jetond run -- CMD`: the command runs as its user intended, has tokens, and leaves nothing behind.
#![expect(
    clippy::unwrap_used,
    reason = "test helpers panic on an unexpected result, as tests do"
)]

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::PathBuf;
use std::process::Command;

use rustix::process::{Pid, Signal, kill_process, test_kill_process};

use crate::support::TestEnv;
use crate::support::daemon::{Daemon, accepts, wait_until};
use crate::support::env::Output;
use crate::terminal::Terminal;

const JETON: &str = env!("CARGO_BIN_EXE_jeton");

/// Returns a command that runs a shell script with a daemon of its own.
pub(crate) fn script(env: &TestEnv, script: &str) -> Command {
    env.jetond_command(&["run", "--", "/bin/sh", "-c", script])
}

/// Runs a script to its end. Its standard output may contain a token if the script requests one.
fn run(env: &TestEnv, text: &str) -> Output {
    env.finish("run", script(env, text), b"", text.contains(" token"))
}

/// Returns the private folders that exist now.
pub(crate) fn folders(env: &TestEnv) -> Vec<PathBuf> {
    ["run", "tmp"]
        .iter()
        .flat_map(|base| fs::read_dir(env.path(base)).unwrap())
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.display().to_string().contains("/jeton-run-"))
        .collect()
}

/// Returns the daemons that serve in a private folder of this environment. Found by their arguments.
pub(crate) fn daemons(env: &TestEnv) -> Vec<Pid> {
    let (root, flag) = (env.path("").display().to_string(), "--stop-at-eof");
    fs::read_dir("/proc")
        .unwrap()
        .filter_map(|entry| entry.unwrap().file_name().to_str()?.parse::<i32>().ok())
        .filter(|pid| {
            // The process may end at this moment. A zombie has no arguments.
            let line = fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
            let line = String::from_utf8_lossy(&line);
            line.contains(flag) && line.contains(&root)
        })
        .filter_map(Pid::from_raw)
        .collect()
}

#[track_caller]
pub(crate) fn assert_nothing_left(env: &TestEnv) {
    assert_eq!(folders(env), Vec::<PathBuf>::new());
    assert_eq!(daemons(env), []);
}

/// Returns the process ID that a script wrote to a file.
pub(crate) fn pid_in(env: &TestEnv, file: &str) -> Pid {
    let path = env.path(file);
    let read = || fs::read_to_string(&path).unwrap_or_default();
    wait_until(file, || read().ends_with('\n'));
    Pid::from_raw(read().trim().parse().unwrap()).unwrap()
}

/// Starts a command that writes its process ID to `pid` and runs until the gate opens.
pub(crate) fn held(env: &TestEnv) -> Daemon {
    let (pid, gate) = (env.path("out/pid"), env.path("out/gate"));
    let text = format!(
        "mkfifo '{1}'; echo $$ >'{0}.new'; mv '{0}.new' '{0}'; read x <'{1}'; exit 5",
        pid.display(),
        gate.display()
    );
    let held = env.spawn_command(script(env, &text));
    pid_in(env, "out/pid");
    held
}

pub(crate) fn open_the_gate(env: &TestEnv) {
    fs::write(env.path("out/gate"), "\n").unwrap();
}

#[test]
fn run_exits_with_its_commands_code_and_leaves_nothing_behind() {
    let env = TestEnv::new();
    for (text, code) in [("exit 0", 0), ("exit 3", 3), ("kill -TERM $$", 143)] {
        let ended = run(&env, text);
        assert_eq!(ended.code, code, "{ended:?}");
        assert_nothing_left(&env);
    }
    let plain = env.path("plain");
    fs::write(&plain, "").unwrap();
    for (program, code) in [("no-such-command", 127), (plain.to_str().unwrap(), 126)] {
        let ended = env.jetond(&["run", "--", program]);
        assert_eq!(ended.code, code, "{ended:?}");
        let told = format!("jetond: {program} cannot be run: ");
        assert!(ended.stderr.contains(&told), "{ended:?}");
        assert_nothing_left(&env);
    }
}

#[test]
fn if_the_daemon_cannot_start_the_command_is_not_run() {
    let env = TestEnv::new();
    fs::create_dir(env.path("config/jeton")).unwrap();
    fs::write(env.config(), "[profiles.research]\nprovider = \"runia\"\n").unwrap();
    let ended = run(&env, "echo it ran");
    assert_eq!((ended.code, ended.stdout.as_str()), (78, ""), "{ended:?}");
    assert!(ended.stderr.contains("config.toml:2:"), "{ended:?}");
    assert_nothing_left(&env);
}

#[test]
fn run_without_a_command_or_with_a_socket_is_a_usage_error() {
    let env = TestEnv::new();
    for args in [
        &["run", "--"][..],
        &["--", "true"],
        &["run", "--socket", "/x/y", "--", "true"],
        &["run", "--admin-socket", "/x/y", "--", "true"],
    ] {
        let ended = env.jetond(args);
        assert_eq!(ended.code, 64, "{args:?} {ended:?}");
    }
}

#[test]
fn the_command_gets_tokens_and_its_own_streams_without_daemon_output() {
    let env = TestEnv::with_sandbox(3_600);
    env.enrol("research");
    let text = format!("cat; {JETON} token research; echo told >&2; echo $JETON_SOCKET");
    let mut command = script(&env, &text);
    command.env_remove("JETON_LOG");
    let ended = env.finish("run", command, b"what was typed\n", true);
    assert_eq!(ended.code, 0, "{ended:?}");
    let [typed, token, socket] = &ended.stdout.lines().collect::<Vec<_>>()[..] else {
        unreachable!("three lines: {ended:?}")
    };
    assert_eq!(*typed, "what was typed");
    assert_eq!(env.sandbox().issued().last().unwrap(), token);
    let private = env.path("run/jeton-run-").display().to_string();
    assert!(socket.starts_with(&private), "{socket}");
    assert_eq!(ended.stderr, "told\n");
    assert_nothing_left(&env);
}

#[test]
fn run_prints_the_daemons_warnings_and_more_with_jeton_log() {
    let env = TestEnv::new();
    for (level, told) in [
        (None, ["no profiles yet", ""]),
        (Some("info"), ["no profiles yet", "serving"]),
    ] {
        let mut command = script(&env, &format!("{JETON} ready"));
        command.env_remove("JETON_LOG");
        command.envs(level.map(|level| ("JETON_LOG", level)));
        let ended = env.finish("run", command, b"", false);
        assert_eq!(ended.code, 0, "{ended:?}");
        assert!(
            told.iter().all(|text| ended.stderr.contains(text)),
            "{ended:?}"
        );
        assert_eq!(
            ended.stderr.contains("serving"),
            level.is_some(),
            "{ended:?}"
        );
    }
}

#[test]
fn run_works_beside_a_daemon_with_the_same_state() {
    let env = TestEnv::with_sandbox(3_600);
    env.enrol("research");
    let mut daemon = env.start();
    let outer = env.token(&daemon, "research");
    let ended = run(&env, &format!("{JETON} token research && {JETON} reload"));
    assert_eq!(ended.code, 0, "{ended:?}");
    let inner = ended.stdout.lines().next().unwrap();
    assert_ne!(inner, outer);
    assert_eq!(env.token(&daemon, "research"), outer);
    assert!(
        !daemon.log().contains("reloaded"),
        "the private daemon was reloaded"
    );
    env.stop(&mut daemon);
    assert_nothing_left(&env);
}

#[test]
fn run_uses_the_temporary_folder_if_the_runtime_folder_is_missing() {
    let env = TestEnv::new();
    let mut command = script(&env, "echo $JETON_SOCKET");
    command.env("XDG_RUNTIME_DIR", env.path("missing"));
    let ended = env.finish("run", command, b"", false);
    let private = env.path("tmp/jeton-run-").display().to_string();
    assert!(ended.stdout.starts_with(&private), "{ended:?}");
    assert_nothing_left(&env);
}

#[test]
fn the_command_keeps_the_rights_that_the_daemon_drops() {
    let env = TestEnv::new();
    let look = "umask; ulimit -c; grep NoNewPrivs /proc/self/status";
    let outside = {
        let mut command = env.command("/bin/sh");
        command.args(["-c", &format!("umask 027; {look}")]);
        env.finish("sh", command, b"", false).stdout
    };
    let gate = format!(
        "{look}; echo $$ >'{}'; read x",
        env.path("out/pid").display()
    );
    let mut command = env.command("/bin/sh");
    command.args([
        "-c",
        "umask 027; exec \"$0\" run -- /bin/sh -c \"$1\"",
        env!("CARGO_BIN_EXE_jetond"),
        &gate,
    ]);
    let inside = std::thread::scope(|scope| {
        use std::io::{Read as _, Write as _};
        let mut child = command
            .stdin(std::process::Stdio::piped())
            .stdout(std::process::Stdio::piped())
            .stderr(std::process::Stdio::null())
            .spawn()
            .unwrap();
        let mut stdout = child.stdout.take().unwrap();
        let reader = scope.spawn(move || {
            let mut text = String::new();
            stdout.read_to_string(&mut text).unwrap();
            text
        });
        pid_in(&env, "out/pid");
        // The daemon itself has set its own values, and has left the terminal.
        let pid = daemons(&env)[0].as_raw_pid();
        let status = fs::read_to_string(format!("/proc/{pid}/status")).unwrap();
        assert!(
            status.contains("NoNewPrivs:\t1") && status.contains("Umask:\t0077"),
            "{status}"
        );
        let stat = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap();
        let session = stat.rsplit(')').next().unwrap().split_whitespace().nth(3);
        assert_eq!(session, Some(pid.to_string().as_str()), "{stat}");
        child.stdin.take().unwrap().write_all(b"\n").unwrap();
        assert_eq!(child.wait().unwrap().code(), Some(0));
        reader.join().unwrap()
    });
    assert_eq!(inside, outside);
    assert!(outside.starts_with("0027\n"), "{outside}");
}

// === Signals ===

#[test]
fn run_passes_signals_to_its_command_and_exits_as_the_command_does() {
    for (name, signal) in [
        ("TERM", Signal::TERM),
        ("INT", Signal::INT),
        ("HUP", Signal::HUP),
        ("QUIT", Signal::QUIT),
        ("USR1", Signal::USR1),
        ("USR2", Signal::USR2),
        ("WINCH", Signal::WINCH),
    ] {
        let env = TestEnv::new();
        let pid = env.path("out/pid");
        let text = format!(
            "trap 'echo got {name}; exit 7' {name}; echo $$ >'{}'; while :; do sleep 0.05; done",
            pid.display()
        );
        let mut supervisor = env.spawn_command(script(&env, &text));
        pid_in(&env, "out/pid");
        supervisor.signal(signal);
        assert_eq!(
            supervisor.wait().code(),
            Some(7),
            "{name}: {}",
            supervisor.log()
        );
        assert!(supervisor.log().contains(&format!("got {name}\n")));
        assert_nothing_left(&env);
    }
}

#[test]
fn ctrl_c_on_the_terminal_reaches_the_command_once() {
    let env = TestEnv::new();
    // The script prints a word for each signal. A signal interrupts the shell's `wait`, so it is in a loop.
    let text = "n=0; trap 'n=$((n+1)); echo int' INT; trap 'echo usr1' USR1; \
                trap 'kill $!; echo n=$n; exit 4' USR2; sleep 600 & echo ready; while :; do wait; done";
    let args = ["run", "--", "/bin/sh", "-c", text];
    let mut terminal = Terminal::start(&env, &args, &[("JETON_LOG", "warn")]);
    terminal.wait_for("ready\r\n");
    terminal.type_in("\u{3}");
    terminal.wait_for("int\r\n");
    let pid = Pid::from_raw(terminal.child.id().cast_signed()).unwrap();
    // One signal after the other. If the key also sent a signal to the supervisor, its effect reaches the command
    // before that of the second signal.
    kill_process(pid, Signal::USR1).unwrap();
    terminal.wait_for("usr1\r\n");
    kill_process(pid, Signal::USR2).unwrap();
    let (status, shown) = terminal.end(&env);
    assert_eq!(status.code(), Some(4), "{shown}");
    assert!(shown.contains("n=1\r\n"), "{shown}");
    assert_nothing_left(&env);
}

#[test]
fn a_signal_ignored_by_the_parent_stays_ignored_in_the_command() {
    let env = TestEnv::new();
    let mut command = env.command("/bin/sh");
    command.args([
        "-c",
        "trap '' HUP USR1; exec \"$0\" run -- grep SigIgn /proc/self/status",
        env!("CARGO_BIN_EXE_jetond"),
    ]);
    let ended = env.finish("run", command, b"", false);
    let mask = ended.stdout.trim().rsplit('\t').next().unwrap();
    let mask = u64::from_str_radix(mask, 16).unwrap();
    assert_eq!(mask & 0b10_0000_0111, 0b10_0000_0001, "{ended:?}");
}

#[test]
fn a_stop_signal_during_the_start_leaves_nothing_behind() {
    for _ in 0..10 {
        let env = TestEnv::new();
        let mut supervisor = env.spawn_command(script(&env, "exec sleep 600"));
        wait_until("the private daemon's folder", || !folders(&env).is_empty());
        supervisor.signal(Signal::TERM);
        assert_eq!(supervisor.wait().code(), Some(143), "{}", supervisor.log());
        assert_nothing_left(&env);
    }
}

// === Deaths ===

#[test]
fn if_the_supervisor_is_killed_the_daemon_ends_and_the_command_continues() {
    let env = TestEnv::new();
    let mut supervisor = held(&env);
    let command = pid_in(&env, "out/pid");
    supervisor.child.kill().unwrap();
    supervisor.wait();
    wait_until("the daemon to end", || daemons(&env).is_empty());
    wait_until("its folder to be removed", || folders(&env).is_empty());
    test_kill_process(command).unwrap();
    open_the_gate(&env);
    wait_until("the command to end", || test_kill_process(command).is_err());
}

#[test]
fn run_restarts_a_killed_daemon() {
    let env = TestEnv::with_sandbox(3_600);
    env.enrol("research");
    let mut supervisor = held(&env);
    let [folder] = &folders(&env)[..] else {
        unreachable!("one folder")
    };
    let socket = folder.join("jeton/jeton.sock");
    assert_eq!(
        socket.metadata().unwrap().permissions().mode() & 0o777,
        0o600
    );
    for signal in [Signal::KILL, Signal::ABORT] {
        let [old] = daemons(&env)[..] else {
            unreachable!("one daemon")
        };
        kill_process(old, signal).unwrap();
        wait_until("another daemon", || {
            // A dying daemon has no arguments any more, but may still accept connections.
            daemons(&env).iter().any(|pid| *pid != old) && accepts(&socket)
        });
        let target = "/v1/profiles/research/token";
        assert_eq!(env.request(&socket, "GET", target, &[], b"").status, 200);
    }
    open_the_gate(&env);
    assert_eq!(supervisor.wait().code(), Some(5), "{}", supervisor.log());
    assert_nothing_left(&env);
}
