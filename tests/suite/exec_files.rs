//! `jeton exec --file`: a file with a token that exists while a command runs.
#![expect(
    clippy::unwrap_used,
    reason = "test helpers panic on an unexpected result, as tests do"
)]

use std::fs;
use std::io::{BufRead as _, BufReader};
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use rustix::process::Signal;

use crate::sinks::is_in_memory;
use crate::support::daemon::{Daemon, wait_until};
use crate::support::{TestEnv, ignored};

/// Arguments of a command that prints the path of its file and runs until its standard input ends.
const COMMAND: &[&str] = &[
    "exec",
    "--file",
    "TOKEN_FILE",
    "research",
    "--",
    "/bin/sh",
    "-c",
    "echo \"$TOKEN_FILE\"; exec cat",
];

/// A running command.
pub(crate) struct Running {
    child: Child,
    /// The path of its token file.
    pub(crate) file: PathBuf,
}

/// Starts a command that prints the path of its file.
pub(crate) fn start(mut command: Command) -> Running {
    let mut child = command
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut line = String::new();
    BufReader::new(child.stdout.as_mut().unwrap())
        .read_line(&mut line)
        .unwrap();
    Running {
        child,
        file: line.trim_end().into(),
    }
}

impl Running {
    fn folder(&self) -> &Path {
        self.file.parent().unwrap()
    }

    /// Ends the command.
    pub(crate) fn end(mut self) {
        drop(self.child.stdin.take());
        assert!(self.child.wait().unwrap().success());
        wait_until("the folder to be removed", || !self.folder().exists());
    }
}

fn command(env: &TestEnv) -> Command {
    let mut command = env.command(env!("CARGO_BIN_EXE_jeton"));
    command.args(COMMAND);
    command
}

fn holds(running: &Running, token: &str) -> bool {
    fs::read_to_string(&running.file).is_ok_and(|text| text == token)
}

/// Reports the token as rejected and returns the next one.
fn reject(env: &TestEnv, daemon: &Daemon, token: &str) -> String {
    let mut command = env.command(env!("CARGO_BIN_EXE_jeton"));
    command
        .args(["--socket"])
        .arg(&daemon.socket)
        .args(["reject", "research"]);
    let next = env.finish("jeton", command, token.as_bytes(), true);
    assert_eq!(next.code, 0, "{next:?}");
    next.stdout.trim_end().to_owned()
}

#[test]
fn the_token_file_is_kept_fresh_while_the_command_runs() {
    let env = TestEnv::with_sandbox(600);
    env.enrol("research");
    let mut daemon = env.start();
    let token = env.token(&daemon, "research");
    let (one, other) = (start(command(&env)), start(command(&env)));
    let facts = |path: &Path| {
        let meta = path.symlink_metadata().unwrap();
        (meta.mode() & 0o7777, meta.is_dir())
    };
    for running in [&one, &other] {
        assert!(
            holds(running, &token),
            "the file has the token before the command starts"
        );
        assert_eq!(facts(&running.file), (0o600, false));
        assert_eq!(facts(running.folder()), (0o700, true));
        assert_eq!(running.folder().parent(), daemon.socket.parent());
    }
    assert_ne!(one.folder(), other.folder());
    let shown = env.jeton(&["status", "--json"]).stdout;
    let shown: serde_json::Value = serde_json::from_str(&shown).unwrap();
    let sinks = shown["profiles"][0]["sinks"].as_array().unwrap();
    assert_eq!(sinks.len(), 2, "{shown}");
    for running in [&one, &other] {
        let path = running.file.to_str().unwrap();
        let sink = sinks.iter().find(|sink| sink["path"] == path).unwrap();
        assert_eq!(sink["process"], running.child.id(), "{sink}");
        assert_eq!(
            (&sink["state"], &sink["format"]),
            (&"fresh".into(), &"raw".into())
        );
        assert!(sink["written_at"].is_u64(), "{sink}");
        assert_eq!(sink["on_disk"], !is_in_memory(running.folder()));
    }

    let inode = one.file.metadata().unwrap().ino();
    let newer = reject(&env, &daemon, &token);
    wait_until("the new token", || {
        holds(&one, &newer) && holds(&other, &newer)
    });
    let replaced = one.file.metadata().unwrap().ino();
    assert_ne!(inode, replaced, "a new file replaces the old one");

    let gone = one.file.display().to_string();
    one.end();
    wait_until("status to omit the removed file", || {
        !env.jeton(&["status"]).stdout.contains(&gone)
    });
    assert!(holds(&other, &newer));
    // However the command ends, its folder is removed.
    let mut other = other;
    other.child.kill().unwrap();
    wait_until("the folder to be removed", || !other.folder().exists());
    other.child.wait().unwrap();
    env.stop(&mut daemon);
}

#[test]
fn a_restarted_daemon_keeps_the_files_of_running_commands_fresh() {
    let env = TestEnv::with_sandbox(600);
    env.enrol("research");
    let mut daemon = env.start();
    let token = env.token(&daemon, "research");
    let (lives, mut ends) = (start(command(&env)), start(command(&env)));
    daemon.signal(Signal::KILL);
    daemon.wait();
    ends.child.kill().unwrap();
    ends.child.wait().unwrap();
    assert!(holds(&lives, &token) && holds(&ends, &token));

    let mut daemon = env.start();
    let newer = env.token(&daemon, "research");
    wait_until("the running command's new token", || holds(&lives, &newer));
    wait_until("the other folder to be removed", || !ends.folder().exists());
    // A daemon that is asked to stop leaves the file of a running command as well.
    env.stop(&mut daemon);
    assert!(holds(&lives, &newer));
    let mut daemon = env.start();
    let newest = env.token(&daemon, "research");
    wait_until("the running command's newest token", || {
        holds(&lives, &newest)
    });
    lives.end();
    env.stop(&mut daemon);
}

#[test]
fn the_token_file_is_removed_when_the_token_expires() {
    let env = TestEnv::with_sandbox(6);
    env.enrol("research");
    let mut daemon = env.start();
    env.token(&daemon, "research");
    let running = start(command(&env));
    env.fault("status:503");
    wait_until("the file to be removed", || !running.file.exists());
    assert!(running.folder().exists());
    env.fault("none");
    wait_until("a new token", || running.file.exists());
    running.end();
    env.stop(&mut daemon);
}

#[test]
fn removing_a_profile_removes_the_token_file_of_a_running_command() {
    let env = TestEnv::with_sandbox(600);
    env.enrol("research");
    env.enrol("other");
    let mut daemon = env.start();
    let token = env.token(&daemon, "research");
    let running = start(command(&env));
    let before = fs::read_to_string(env.config()).unwrap();
    fs::write(
        env.config(),
        before.replace("[profiles.research]", "[profiles.another]"),
    )
    .unwrap();
    assert_eq!(env.jeton(&["reload"]).code, 0);
    wait_until("the file to be removed", || !running.file.exists());
    fs::write(env.config(), before).unwrap();
    assert_eq!(env.jeton(&["reload"]).code, 0);
    wait_until("a token", || running.file.exists());
    let newer = env.token(&daemon, "research");
    wait_until("the current token", || holds(&running, &newer));
    assert_ne!(newer, token);
    running.end();
    env.stop(&mut daemon);
}

#[test]
fn the_file_path_is_valid_where_the_socket_folder_is_mounted_elsewhere() {
    let test = "the_file_path_is_valid_where_the_socket_folder_is_mounted_elsewhere";
    let possible = Command::new("unshare").args(["-m", "true"]).status();
    if !possible.is_ok_and(|status| status.success()) {
        ignored(&format!("{test}: mount namespaces need root and unshare"));
        return;
    }
    let env = TestEnv::with_sandbox(600);
    env.enrol("research");
    let mut daemon = env.start();
    let token = env.token(&daemon, "research");
    fs::create_dir(env.path("inside")).unwrap();
    let mut command = env.command("unshare");
    command
        .args(["-m", "sh", "-ec"])
        .arg("mount --bind \"$1\" \"$2\"; shift; cd \"$1\"; shift; exec \"$@\"")
        .arg("sh")
        .args([daemon.socket.parent().unwrap(), &env.path("inside")])
        .args([env!("CARGO_BIN_EXE_jeton"), "--socket", "jeton.sock"])
        .args(["exec", "--file=F", "research", "--"])
        .args(["sh", "-c", "echo \"$F\"; cat \"$F\""]);
    let ran = env.finish("a command in a container", command, b"", true);
    assert_eq!(ran.code, 0, "{ran:?}");
    let (path, content) = ran.stdout.split_once('\n').unwrap();
    assert!(Path::new(path).starts_with(env.path("inside")), "{path}");
    assert_eq!(content, token);
    env.stop(&mut daemon);
}

#[test]
fn exec_does_not_run_the_command_without_its_token_file() {
    let env = TestEnv::with_sandbox(600);
    env.enrol("research");
    let mut daemon = env.start();
    env.token(&daemon, "research");
    let run = |args: &[&str]| env.jeton(&[&["exec"], args, &["--", "/bin/echo", "run"]].concat());
    let unknown = run(&["--file", "F", "absent"]);
    assert_eq!((unknown.code, &unknown.stdout[..]), (78, ""), "{unknown:?}");
    for bad in [
        &["--file", "2"][..],
        &["--file", "JETON_SOCKET"],
        &["--file", "F", "--file", "G"],
        &["--file", "F", "--env", "F"],
        &["--file"],
    ] {
        let refused = run(bad);
        assert_eq!((refused.code, &refused.stdout[..]), (64, ""), "{bad:?}");
    }
    let both = env.jeton(&[
        "exec",
        "--file",
        "F",
        "--env",
        "E",
        "research",
        "--",
        "/bin/sh",
        "-c",
        "test \"$(cat \"$F\")\" = \"$E\" && echo same",
    ]);
    assert_eq!((both.code, &both.stdout[..]), (0, "same\n"), "{both:?}");
    let folder = daemon.socket.parent().unwrap();
    wait_until("all folders to be removed", || {
        let left = fs::read_dir(folder).unwrap();
        !left
            .flatten()
            .any(|entry| entry.file_type().unwrap().is_dir())
    });
    env.stop(&mut daemon);
}
