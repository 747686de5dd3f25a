//! `jetond sandbox` as a program: its output can be pasted into a shell.
#![expect(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "test helpers panic on an unexpected result, as tests do"
)]

use std::fs::{self, File};
use std::io::{Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, ExitStatus, Stdio};

use rustix::process::{Pid, Signal, kill_process};

use crate::support::TestEnv;
use crate::support::daemon::wait_until;
use crate::support::env::Output;

/// A running sandbox program.
struct Program {
    child: Child,
    output: PathBuf,
}

impl Program {
    /// Starts the program with this temporary folder, and waits until it has printed everything.
    fn start(env: &TestEnv, args: &[&str], tmp: &Path) -> Self {
        let output = env.path("out/sandbox");
        let file = File::create(&output).unwrap();
        let child = env
            .jetond_command(&[&["sandbox"], args].concat())
            .env("TMPDIR", tmp)
            .stdin(Stdio::null())
            .stdout(file.try_clone().unwrap())
            .stderr(file)
            .spawn()
            .unwrap();
        let mut program = Self { child, output };
        wait_until("the sandbox to be ready", || {
            let ended = program.child.try_wait().unwrap();
            assert!(ended.is_none(), "{ended:?}: {}", program.printed());
            program.printed().ends_with("Ctrl-C ends it\n")
        });
        program
    }

    fn printed(&self) -> String {
        fs::read_to_string(&self.output).unwrap()
    }

    /// Returns the printed line that begins with this text.
    fn line(&self, start: &str) -> String {
        let printed = self.printed();
        let line = printed
            .lines()
            .find(|line| line.trim_start().starts_with(start));
        line.unwrap_or_else(|| panic!("no {start:?} in {printed}"))
            .trim_start()
            .to_owned()
    }

    /// Runs the printed enrolment command in a shell.
    fn enrol(&self, env: &TestEnv) -> Output {
        let line = self
            .line("jetond add ")
            .replacen("jetond", env!("CARGO_BIN_EXE_jetond"), 1);
        let mut command = env.command("sh");
        command.args(["-c", &line]);
        env.finish("the printed line", command, b"", false)
    }

    /// Sends the request of a printed curl command.
    fn curl(&self, start: &str, fault: &str) -> String {
        let line = self.line(start);
        let words: Vec<_> = line.split(' ').collect();
        let url = words.last().unwrap().strip_prefix("http://").unwrap();
        let (address, path) = url.split_once('/').unwrap();
        let has_body = words.contains(&"FAULT") || words.contains(&"SETTING");
        let body = if has_body { fault } else { "" };
        let mut stream = TcpStream::connect(address).unwrap();
        write!(
            stream,
            "{} /{path} HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\nContent-Length: {}\r\n\r\n{body}",
            words[2],
            body.len()
        )
        .unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        answer
    }

    fn stop(&mut self) -> ExitStatus {
        let pid = Pid::from_raw(i32::try_from(self.child.id()).unwrap()).unwrap();
        kill_process(pid, Signal::TERM).unwrap();
        let mut status = None;
        wait_until("the sandbox to end", || {
            status = self.child.try_wait().unwrap();
            status.is_some()
        });
        status.unwrap()
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[test]
fn the_printed_line_enrols_with_a_secret_file_that_the_sandbox_removes_at_exit() {
    let mut env = TestEnv::new();
    // The printed path must survive the shell, whatever characters it has.
    let tmp = env.path("tmp/it's here");
    fs::create_dir(&tmp).unwrap();
    let mut program = Program::start(&env, &["--token-life", "2.5"], &tmp);
    let folders: Vec<_> = fs::read_dir(&tmp)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .collect();
    assert_eq!(folders.len(), 1, "{folders:?}");
    let file = folders[0].join("secret");
    let mode = std::os::unix::fs::PermissionsExt::mode(&file.metadata().unwrap().permissions());
    assert_eq!(mode & 0o7777, 0o600);
    let secret = fs::read_to_string(&file).unwrap().trim_end().to_owned();
    assert_eq!(secret.len(), 48);

    let added = program.enrol(&env);
    assert_eq!(added.code, 0, "{added:?}");
    assert!(
        added.stdout.contains("gave a token that is valid for 2 s"),
        "{added:?}"
    );
    assert!(
        fs::read_to_string(env.record("sandbox"))
            .unwrap()
            .contains(&secret)
    );
    assert!(!program.printed().contains(&secret));

    assert_eq!(program.stop().code(), Some(0), "{}", program.printed());
    assert_eq!(fs::read_dir(&tmp).unwrap().count(), 0);
    fs::remove_dir_all(env.path("state/jeton")).unwrap();
    env.forbid("the sandbox's secret", &secret);
}

#[test]
fn faults_can_be_switched_on_and_off_at_the_printed_address() {
    let env = TestEnv::new();
    let secret = env.secret_file();
    let args = [
        "--client-secret-file",
        secret.to_str().unwrap(),
        "--client-id",
        "my app",
        "--api",
        "2.23",
    ];
    let mut program = Program::start(&env, &args, &env.path("tmp"));
    assert!(
        program
            .printed()
            .starts_with("a Run:ai control plane of line 2.23 is at http://127.0.0.1:")
    );
    let switched = program.curl("curl -X PUT", "status:503");
    assert!(
        switched.starts_with("HTTP/1.1 200") && switched.ends_with("fault: status:503\n"),
        "{switched}"
    );
    let failed = program.enrol(&env);
    assert_eq!(failed.code, 75, "{failed:?}");
    assert!(failed.stderr.contains("503"), "{failed:?}");
    let mended = program.curl("curl -X DELETE", "");
    assert!(mended.ends_with("fault: none\n"), "{mended}");
    let added = program.enrol(&env);
    assert_eq!(added.code, 0, "{added:?}");
    assert!(
        fs::read_to_string(env.record("sandbox"))
            .unwrap()
            .contains("\"my app\"")
    );
    assert_eq!(program.stop().code(), Some(0));
    assert!(secret.exists());
}

#[test]
fn with_tls_the_printed_line_names_the_certificate_to_trust() {
    let env = TestEnv::new();
    // The printed path must survive the shell, whatever characters it has.
    let tmp = env.path("tmp/it's here");
    fs::create_dir(&tmp).unwrap();
    let secret = env.secret_file();
    let args = ["--tls", "--client-secret-file", secret.to_str().unwrap()];
    let mut program = Program::start(&env, &args, &tmp);
    assert!(program.printed().contains(" is at https://127.0.0.1:"));
    let switched = program.curl("curl -X PUT", "tls:expired");
    assert!(switched.ends_with("fault: tls:expired\n"), "{switched}");
    let failed = program.enrol(&env);
    assert_eq!(failed.code, 78, "{failed:?}");
    assert!(failed.stderr.contains("has expired"), "{failed:?}");
    program.curl("curl -X DELETE", "");
    let added = program.enrol(&env);
    assert_eq!(added.code, 0, "{added:?}");
    assert_eq!(program.stop().code(), Some(0));
    assert_eq!(fs::read_dir(&tmp).unwrap().count(), 0);

    let script = env.path("script");
    fs::write(&script, "0 none\n9 tls:hang\n").unwrap();
    let refused = env.jetond(&["sandbox", "--script", script.to_str().unwrap()]);
    assert_eq!((refused.code, refused.stdout.as_str()), (64, ""));
    assert!(refused.stderr.contains("--tls"), "{refused:?}");
}

#[test]
fn a_taken_or_non_loopback_address_is_refused() {
    let env = TestEnv::new();
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    let refused = env.jetond(&["sandbox", "--listen", &address]);
    assert_eq!(
        (refused.code, refused.stdout.as_str()),
        (75, ""),
        "{refused:?}"
    );
    assert!(
        refused.stderr.contains(&format!(
            "cannot listen at {address}: Address already in use"
        )),
        "{refused:?}"
    );
    let open = env.jetond(&["sandbox", "--listen", "0.0.0.0:0"]);
    assert_eq!((open.code, open.stdout.as_str()), (64, ""), "{open:?}");
    assert!(open.stderr.contains("loopback alone"), "{open:?}");
    for life in ["0", "-1", "x", "1e9"] {
        let refused = env.jetond(&["sandbox", &format!("--token-life={life}")]);
        assert_eq!(refused.code, 64, "{life}: {refused:?}");
    }
    assert_eq!(fs::read_dir(env.path("tmp")).unwrap().count(), 0);
}

#[test]
fn settings_come_from_options_and_can_be_changed_with_the_printed_line() {
    let env = TestEnv::new();
    let tmp = env.path("tmp/settings");
    fs::create_dir(&tmp).unwrap();
    let args = ["--set", "clusters:2.9,null", "--set", "last-login:day"];
    let mut program = Program::start(&env, &args, &tmp);
    let settings = program.curl("curl -X PUT --data SETTING", "own-keys:forbidden");
    for setting in ["clusters:2.9,null", "last-login:day", "own-keys:forbidden"] {
        assert!(settings.lines().any(|line| line == setting), "{settings}");
    }
    assert!(
        program
            .line("SETTING is one of: ")
            .contains("own-keys:forbidden")
    );
    assert_eq!(program.stop().code(), Some(0), "{}", program.printed());

    let refused = env.jetond(&["sandbox", "--set", "clusters:canary!"]);
    assert_eq!(refused.code, 64, "{refused:?}");
    assert!(!refused.stderr.contains("canary"), "{refused:?}");
}
