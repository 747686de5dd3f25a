//! Commands that print a client secret: a user's daemon runs them, within limits.

use std::fs;
use std::os::unix::fs::{PermissionsExt, chown};
use std::path::{Path, PathBuf};
use std::process::Command;

use super::{TOKEN, profile};
use crate::enrol::write_config;
use crate::support::TestEnv;
use crate::support::daemon::{Daemon, wait_until};
use crate::support::users::{Installed, User, install, is_root_or_skip};

const NOBODY_ELSE: User = User {
    uid: 60_091,
    gid: 60_091,
    groups: &[],
};

/// The environment of a user whose profile `research` has a command as its source.
struct CommandEnv {
    env: TestEnv,
    jetond: Installed,
    /// A folder of the user, with the command.
    folder: PathBuf,
}

impl CommandEnv {
    /// Sets up the command with this script. Prints the reason and returns `None` if this machine cannot run the test.
    fn new(test: &str, script: &str) -> Option<Self> {
        if !is_root_or_skip(test) {
            return None;
        }
        let env = TestEnv::with_sandbox(600);
        let folder = env.path("home/bin");
        fs::create_dir(&folder).unwrap();
        env.secret_file();
        fs::set_permissions(env.path(""), PermissionsExt::from_mode(0o711)).unwrap();
        write_config(&env, "");
        let place = Self {
            env,
            jetond: install(env!("CARGO_BIN_EXE_jetond")),
            folder,
        };
        place.script(script);
        let source = format!(
            "{{ command = [\"{}\", \"an argument\"] }}",
            place.program().display()
        );
        write_config(&place.env, profile(&place.env, "\"test-client\"", &source));
        for path in [
            "home", "home/bin", "run", "state", "config", "tmp", "secret",
        ] {
            place.give(&place.env.path(path));
        }
        place.give(place.env.config().parent().unwrap());
        place.give(&place.env.config());
        Some(place)
    }

    fn give(&self, path: &Path) {
        chown(path, Some(NOBODY_ELSE.uid), Some(NOBODY_ELSE.gid)).unwrap();
    }

    fn program(&self) -> PathBuf {
        self.folder.join("secret-of")
    }

    /// Returns the path of a file beside the command.
    fn path(&self, name: &str) -> String {
        self.folder.join(name).display().to_string()
    }

    /// Writes the command. `SECRET` stands for a command that prints the secret, `HERE` for the folder.
    fn script(&self, script: &str) {
        let secret = format!("cat {}", self.env.path("secret").display());
        let script = script.replace("SECRET", &secret);
        let script = script.replace("HERE", self.folder.to_str().unwrap());
        let beside = self.folder.join("beside");
        fs::write(&beside, format!("#!/bin/sh\n{script}\n")).unwrap();
        fs::set_permissions(&beside, PermissionsExt::from_mode(0o755)).unwrap();
        self.give(&beside);
        fs::rename(beside, self.program()).unwrap();
    }

    fn command(&self, args: &[&str]) -> Command {
        NOBODY_ELSE.command(&self.env, &self.jetond.program, args)
    }

    fn start(&self) -> Daemon {
        let mut command = self.command(&["run"]);
        command
            .env("SSH_AUTH_SOCK", "/agent")
            .env("DBUS_SESSION_BUS_ADDRESS", "unix:path=/bus")
            .env("CANARY", "canary");
        self.env.start_command(command)
    }

    fn run(&self, args: &[&str]) -> crate::support::env::Output {
        self.env.finish("jetond", self.command(args), b"", false)
    }
}

fn is_running(pid: &str) -> bool {
    let stat = fs::read_to_string(format!("/proc/{}/stat", pid.trim()));
    stat.is_ok_and(|stat| {
        stat.rsplit_once(") ")
            .is_some_and(|(_, rest)| !rest.starts_with('Z'))
    })
}

#[test]
fn a_command_gets_few_variables_and_runs_only_when_needed() {
    let script = "echo run >> HERE/runs; env > HERE/env; echo \"$*\" > HERE/args; cat > HERE/stdin; echo noise >&2; SECRET";
    let Some(place) = CommandEnv::new("a command that prints the secret", script) else {
        return;
    };
    let env = &place.env;
    let mut daemon = place.start();
    env.token(&daemon, "research");
    let read = |name: &str| fs::read_to_string(place.path(name)).unwrap();
    assert_eq!(
        (read("args").as_str(), read("stdin").as_str()),
        ("an argument\n", "")
    );
    let variables = read("env");
    for line in variables.lines() {
        let name = line.split('=').next().unwrap();
        let is_known = [
            "HOME",
            "PATH",
            "SSH_AUTH_SOCK",
            "DBUS_SESSION_BUS_ADDRESS",
            "PWD",
            "SHLVL",
            "_",
            "OLDPWD",
        ];
        assert!(
            is_known.contains(&name) || name.starts_with("XDG_"),
            "{variables}"
        );
    }
    for needed in [
        "SSH_AUTH_SOCK=/agent",
        "DBUS_SESSION_BUS_ADDRESS=unix:path=/bus",
        "XDG_RUNTIME_DIR=",
    ] {
        assert!(variables.contains(needed), "{variables}");
    }
    // A refresh does not run the command, because the secret is known and valid.
    let refreshed = env.request(
        &daemon.socket,
        "POST",
        "/v1/profiles/research/refresh",
        &[],
        b"",
    );
    assert!(refreshed.status < 300, "{refreshed:?}");
    assert_eq!(read("runs").lines().count(), 1);
    let reloaded = env.request(&daemon.admin, "POST", "/v1/reload", &[], b"");
    assert_eq!(reloaded.status, 200, "{reloaded:?}");
    wait_until("the command to run at a reload", || {
        read("runs").lines().count() == 2
    });
    assert!(!daemon.log_up_to_now().contains("noise"));
    let doctor = place.run(&["doctor"]);
    assert!(
        doctor.stdout.contains("the daemon is hardened less"),
        "{doctor:?}"
    );
    assert_eq!(
        read("runs").lines().count(),
        2,
        "the doctor does not run the command"
    );
    let checked = place.run(&["check"]);
    assert_eq!(checked.code, 0, "{checked:?}");
    env.stop(&mut daemon);
}

#[test]
fn a_hanging_commands_process_group_ends_with_the_daemon() {
    let script = "sleep 3600 & echo $! > HERE/child; echo $$ > HERE/own; wait";
    let Some(place) = CommandEnv::new("a command that hangs", script) else {
        return;
    };
    let mut daemon = place.start();
    let pids =
        || ["child", "own"].map(|name| fs::read_to_string(place.path(name)).unwrap_or_default());
    wait_until("the command to run", || {
        pids().iter().all(|pid| !pid.is_empty())
    });
    assert!(pids().iter().all(|pid| is_running(pid)));
    place.env.stop(&mut daemon);
    wait_until("the command to end", || {
        !pids().iter().any(|pid| is_running(pid))
    });
}

#[test]
fn a_hanging_command_is_killed_after_ten_seconds() {
    let script = "echo $$ > HERE/own; trap '' TERM; sleep 3600";
    let Some(place) = CommandEnv::new("a command that hangs for long", script) else {
        return;
    };
    let mut daemon = place.start();
    let target = TOKEN.replace("max_wait=5", "max_wait=30");
    let refused = place.env.get(&daemon, &target);
    assert_eq!(refused.code(), "misconfigured", "{refused:?}");
    let says = "had not ended after 10 s, and was killed with all that it had started";
    daemon.wait_for_log(says);
    let pid = fs::read_to_string(place.path("own")).unwrap();
    wait_until("the command to end", || !is_running(&pid));
    place.env.stop(&mut daemon);
}

#[test]
fn a_command_replaced_during_a_run_is_run_next() {
    let script = "echo first >> HERE/runs; cp HERE/next HERE/beside; mv HERE/beside $0; SECRET";
    let Some(place) = CommandEnv::new("a command that is replaced", script) else {
        return;
    };
    let next = place.folder.join("next");
    let secret = place.env.path("secret");
    let text = format!(
        "#!/bin/sh\necho second >> {}\ncat {}\n",
        place.path("runs"),
        secret.display()
    );
    fs::write(&next, text).unwrap();
    fs::set_permissions(&next, PermissionsExt::from_mode(0o755)).unwrap();
    let mut daemon = place.start();
    place.env.token(&daemon, "research");
    let reloaded = place
        .env
        .request(&daemon.admin, "POST", "/v1/reload", &[], b"");
    assert_eq!(reloaded.status, 200, "{reloaded:?}");
    let runs = || fs::read_to_string(place.path("runs")).unwrap();
    wait_until("both commands to run", || runs() == "first\nsecond\n");
    place.env.token(&daemon, "research");
    place.env.stop(&mut daemon);
}

#[test]
fn a_failed_command_runs_again_at_a_reload_but_not_for_requests() {
    let script = "echo run >> HERE/runs; test -e HERE/good && SECRET";
    let Some(place) = CommandEnv::new("a command that fails", script) else {
        return;
    };
    let env = &place.env;
    let runs = || {
        let runs = fs::read_to_string(place.path("runs"));
        runs.unwrap_or_default().lines().count()
    };
    let mut daemon = place.start();
    for _ in 0..3 {
        assert_eq!(env.get(&daemon, TOKEN).code(), "misconfigured");
        let target = "/v1/profiles/research/refresh";
        env.request(&daemon.socket, "POST", target, &[], b"");
    }
    daemon.wait_for_log("it is run again by 'jeton reload'");
    assert_eq!(runs(), 1);
    fs::write(place.path("good"), "").unwrap();
    let reloaded = env.request(&daemon.admin, "POST", "/v1/reload", &[], b"");
    assert_eq!(reloaded.status, 200, "{reloaded:?}");
    env.token(&daemon, "research");
    assert_eq!(runs(), 2);
    let passphrase = place.path("passphrase");
    fs::write(&passphrase, "of a store").unwrap();
    place.give(Path::new(&passphrase));
    let given = ["--passphrase-file", &passphrase];
    let made = place.run(&[&["encrypt-store", "--work-factor", "12"], &given[..]].concat());
    assert_eq!(made.code, 0, "{made:?}");
    wait_until("the command to run at the following reload", || runs() == 3);
    let unlocked = place.run(&[&["unlock"], &given[..]].concat());
    assert_eq!(unlocked.code, 0, "{unlocked:?}");
    wait_until("the command to run at an unlock", || runs() == 4);
    env.stop(&mut daemon);
}

#[test]
fn a_daemon_of_root_runs_no_command_and_says_why() {
    let env = TestEnv::with_sandbox(60);
    if !is_root_or_skip("root's daemon and a command") {
        return;
    }
    let source = "{ command = [\"/bin/sh\", \"-c\", \"exit 1\"] }";
    write_config(&env, profile(&env, "\"test-client\"", source));
    let mut daemon = env.start();
    let refused = env.get(&daemon, TOKEN);
    assert_eq!(refused.code(), "misconfigured", "{refused:?}");
    let says = "no command is run for a secret, since this daemon is root's";
    daemon.wait_for_log(says);
    let checked = env.jetond(&["check"]);
    assert_eq!(checked.code, 78, "{checked:?}");
    assert!(checked.stderr.contains(says), "{checked:?}");
    env.stop(&mut daemon);
}

#[test]
fn check_warns_if_no_binding_can_be_recorded_in_the_state_folder() {
    let Some(place) = CommandEnv::new("a state folder that cannot be written", "SECRET") else {
        return;
    };
    let state = place.env.path("state");
    chown(&state, Some(0), Some(0)).unwrap();
    fs::set_permissions(&state, PermissionsExt::from_mode(0o755)).unwrap();
    let checked = place.run(&["check"]);
    assert_eq!(checked.code, 0, "{checked:?}");
    let says = "warning: research: where its credential may be sent cannot be recorded (";
    assert!(checked.stderr.contains(says), "{checked:?}");
    let mut daemon = place.start();
    place.env.token(&daemon, "research");
    daemon.wait_for_log("the configuration alone decides that");
    place.env.stop(&mut daemon);
}
