//! Scope of `lock` and `unlock`: which profiles and files they affect, and which stay unchanged.

use std::io::{Read as _, Write as _};
use std::os::unix::net::UnixStream;

use super::*;
use crate::support::daemon::wait_until;

/// A watch of the profile, with the events received so far.
struct Watcher {
    stream: UnixStream,
    seen: String,
}

impl Watcher {
    fn open(daemon: &Daemon, profile: &str) -> Self {
        let mut stream = UnixStream::connect(&daemon.socket).unwrap();
        let request = format!("GET /v1/profiles/{profile}/watch HTTP/1.0\r\n\r\n");
        stream.write_all(request.as_bytes()).unwrap();
        let seen = String::new();
        Self { stream, seen }
    }

    fn wait_for(&mut self, text: &str) {
        let mut bytes = [0; 4_096];
        while !self.seen.contains(text) {
            let n = self.stream.read(&mut bytes).unwrap();
            assert!(n > 0, "the watch ended: {}", self.seen);
            self.seen += &String::from_utf8_lossy(&bytes[..n]);
        }
    }
}

#[test]
fn a_daemon_starts_locked_and_serves_while_unlocked() {
    let env = set_up(60);
    enrol(&env, "research");
    let url = env.sandbox().url();
    let plain = env.try_enrol_with("plain", &url, &["--store", "file"]);
    assert_eq!(plain.code, 0, "{plain:?}");
    let mut daemon = env.start();
    assert_eq!(answer(&env, &daemon, "research"), locked());
    let refused = env.jeton(&["token", "research"]);
    assert_eq!((refused.code, refused.stdout.as_str()), (75, ""));
    assert!(
        refused.stderr.contains("run 'jetond unlock'"),
        "{refused:?}"
    );
    // No attempt opens the store, and there is nothing that stays in use.
    assert!(!refused.stderr.contains("next attempt"), "{refused:?}");
    assert!(!daemon.log().contains("stays in use"));
    let status = env.jeton(&["status"]);
    assert!(status.stdout.contains("locked"), "{status:?}");
    let of_plain = env.token(&daemon, "plain");

    let unlocked = unlock(&env);
    assert_eq!(unlocked.code, 0, "{unlocked:?}");
    assert!(unlocked.stdout.contains("research"), "{unlocked:?}");
    assert!(!unlocked.stdout.contains("plain"), "{unlocked:?}");
    env.token(&daemon, "research");
    let doctor = env.jetond(&["doctor"]);
    assert!(!doctor.stdout.contains("locked, so nothing"), "{doctor:?}");

    let mut watcher = Watcher::open(&daemon, "research");
    watcher.wait_for("\"phase\":\"fresh\"");
    let lock = env.jetond(&["lock"]);
    assert_eq!(lock.code, 0, "{lock:?}");
    assert!(lock.stdout.contains("research"), "{lock:?}");
    watcher.wait_for("\"phase\":\"locked\"");
    assert_eq!(answer(&env, &daemon, "research"), locked());
    assert_eq!(
        env.token(&daemon, "plain"),
        of_plain,
        "other profiles are still served"
    );
    let doctor = env.jetond(&["doctor"]);
    assert!(doctor.stdout.contains("locked, so nothing"), "{doctor:?}");

    // Unlock a second time. After a restart, the store is locked again.
    assert_eq!(unlock(&env).code, 0);
    env.token(&daemon, "research");
    env.stop(&mut daemon);
    let mut daemon = env.start();
    assert_eq!(answer(&env, &daemon, "research"), locked());
    env.stop(&mut daemon);
}

#[test]
fn an_enrolment_into_a_locked_store_is_used_after_the_unlock() {
    let mut env = set_up(60);
    enrol(&env, "research");
    let mut daemon = env.start();
    assert_eq!(answer(&env, &daemon, "research"), locked());
    env.replace_secret();
    let secret = env.secret_file();
    let id = ["--client-id", "test-client", "--client-secret-file"];
    let rebind = ["add", "research", "--rebind"];
    let rebound = env.jetond(&[&rebind, &id[..], &[secret.to_str().unwrap()]].concat());
    assert_eq!(rebound.code, 0, "{rebound:?}");
    assert_eq!(answer(&env, &daemon, "research"), locked());
    assert_eq!(unlock(&env).code, 0);
    env.token(&daemon, "research");
    env.stop(&mut daemon);
}

#[test]
fn a_lock_removes_the_token_files_regardless_of_on_expiry() {
    let env = set_up(60);
    enrol(&env, "research");
    let (removed, kept) = (env.path("run/removed"), env.path("run/kept"));
    let mut config = fs::read_to_string(env.config()).unwrap();
    for (path, more) in [(&removed, ""), (&kept, "on-expiry = \"keep\"\n")] {
        env.is_sink(path);
        let path = path.display();
        config.push_str(&format!(
            "[[profiles.research.sinks]]\npath = \"{path}\"\nformat = \"raw\"\n{more}"
        ));
    }
    fs::write(env.config(), config).unwrap();
    let mut daemon = env.start();
    assert_eq!(unlock(&env).code, 0);
    wait_until("both files", || removed.exists() && kept.exists());
    let lock = env.jetond(&["lock"]);
    assert_eq!(lock.code, 0, "{lock:?}");
    // The command returns only after the files are removed.
    assert!(!removed.exists() && !kept.exists());
    assert_eq!(unlock(&env).code, 0);
    wait_until("both files again", || removed.exists() && kept.exists());
    env.stop(&mut daemon);
}

#[test]
fn a_lock_removes_the_token_file_of_a_running_command() {
    let env = set_up(60);
    enrol(&env, "research");
    let mut daemon = env.start();
    assert_eq!(unlock(&env).code, 0);
    let told = env.path("tmp/path");
    let script = format!(
        "echo \"$TOKEN_FILE\" > {0}.new; mv {0}.new {0}; read -r line",
        told.display()
    );
    let mut command = env.command(env!("CARGO_BIN_EXE_jeton"));
    command.args([
        "exec",
        "--file",
        "TOKEN_FILE",
        "research",
        "--",
        "sh",
        "-c",
        &script,
    ]);
    let mut child = command.stdin(std::process::Stdio::piped()).spawn().unwrap();
    wait_until("the command to run", || told.exists());
    let file = PathBuf::from(fs::read_to_string(&told).unwrap().trim_end());
    wait_until("the command's file", || file.exists());
    assert_eq!(env.jetond(&["lock"]).code, 0);
    assert!(!file.exists(), "{}", file.display());
    assert_eq!(unlock(&env).code, 0);
    wait_until("the command's file again", || file.exists());
    drop(child.stdin.take());
    child.wait().unwrap();
    env.stop(&mut daemon);
}

#[test]
fn a_failed_write_is_not_repeated_after_a_lock() {
    let env = set_up(600);
    enrol(&env, "research");
    let url = env.sandbox().url();
    let plain = env.try_enrol_with("plain", &url, &["--store", "file"]);
    assert_eq!(plain.code, 0, "{plain:?}");
    let mut daemon = env.start();
    assert_eq!(unlock(&env).code, 0);
    let [locked, other] = ["research", "plain"].map(|profile| {
        let mut command = env.command(env!("CARGO_BIN_EXE_jeton"));
        command.args(["exec", "--file", "F", profile, "--", "sh", "-c"]);
        command.arg("echo \"$F\"; exec cat");
        crate::exec_files::start(command)
    });
    // Puts a file in place of the folder, so that the next token cannot be written.
    let fail = |file: &std::path::Path, profile: &str| {
        let folder = file.parent().unwrap();
        fs::remove_dir_all(folder).unwrap();
        fs::write(folder, "").unwrap();
        let refreshed = env.jeton(&["refresh", profile]);
        assert_eq!(refreshed.code, 0, "{refreshed:?}");
        let failures = || daemon.log().matches("was not written").count();
        let wanted = if profile == "research" { 1 } else { 2 };
        wait_until("a failure", || failures() == wanted);
    };
    fail(&locked.file, "research");
    assert_eq!(env.jetond(&["lock"]).code, 0);
    fs::remove_file(locked.file.parent().unwrap()).unwrap();
    // A write that fails later is retried later.
    fail(&other.file, "plain");
    fs::remove_file(other.file.parent().unwrap()).unwrap();
    wait_until("the file again", || other.file.exists());
    assert!(!locked.file.exists(), "{}", locked.file.display());
    locked.end();
    other.end();
    env.stop(&mut daemon);
}

#[test]
fn lock_and_unlock_without_a_daemon_report_that_none_is_running() {
    let env = set_up(60);
    enrol(&env, "research");
    for output in [unlock(&env), env.jetond(&["lock"])] {
        assert_eq!(output.code, 75, "{output:?}");
        assert!(output.stderr.contains("no daemon is running"), "{output:?}");
    }
}

#[test]
fn a_daemon_refuses_an_identity_that_does_not_match_its_recipient() {
    let env = set_up(60);
    enrol(&env, "research");
    let mut daemon = env.start();
    let other = "AGE-SECRET-KEY-1GQ9778VQXMMJVE8SK7J6VT8UJ4HDQAJUVSFCWCM02D8GEWQ72PVQ2Y5J33";
    let post = |body: &str| env.request(&daemon.admin, "POST", "/v1/unlock", &[], body.as_bytes());
    let refused = post(&format!("{{\"identity\":\"{other}\"}}"));
    assert_eq!(
        (refused.status, refused.code()),
        (409, "conflict".to_owned())
    );
    for body in ["", "{}", "{\"identity\":\"canary\"}", "{\"identity\":1}"] {
        let refused = post(body);
        assert_eq!(
            (refused.status, refused.code()),
            (400, "bad_request".to_owned())
        );
    }
    let refused = env.request(&daemon.socket, "POST", "/v1/unlock", &[], b"{}");
    assert_eq!(refused.status, 403);
    assert_eq!(answer(&env, &daemon, "research"), locked());
    env.stop(&mut daemon);
}

#[test]
fn a_command_that_reads_a_locked_record_asks_for_the_passphrase() {
    let env = set_up(60);
    enrol(&env, "research");
    let args = ["migrate", "research", "--to", "file"];
    let refused = env.jetond(&args);
    assert_eq!(refused.code, 64, "{refused:?}");
    assert!(refused.stderr.contains("locked"), "{refused:?}");
    let mut terminal = Terminal::start(&env, &args, &[]);
    terminal.wait_for("Passphrase (not shown): ");
    terminal.wait_for_no_echo();
    terminal.type_in(&format!("{PASSPHRASE}\n"));
    let (status, shown) = terminal.end(&env);
    assert_eq!(status.code(), Some(0), "{shown}");
    assert!(env.record("research").exists() && !record(&env, "research").exists());
}
