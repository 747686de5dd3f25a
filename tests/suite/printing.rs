//! Failed writes to standard output: the exit code reports them, and standard error has the system's message.
#![expect(
    clippy::unwrap_used,
    reason = "test helpers panic on an unexpected result, as tests do"
)]

use std::fs::{self, File};
use std::process::{Command, Stdio};

use crate::enrol::write_config;
use crate::support::TestEnv;
use crate::support::ends::unread_pipe;

/// Returns a command whose standard output fails in this way, and the system's error message.
fn broken(env: &TestEnv, args: &[&str], how: &str) -> (Command, &'static str) {
    let mut command = env.jetond_command(args);
    match how {
        "full" => {
            let full = File::options().write(true).open("/dev/full").unwrap();
            command.stdout(full);
            (command, "No space left on device")
        }
        "unread" => {
            command.stdout(unread_pipe());
            (command, "Broken pipe")
        }
        _ => {
            let mut shell = env.command("/bin/sh");
            shell
                .args(["-c", "exec \"$0\" \"$@\" >&-"])
                .arg(command.get_program())
                .args(command.get_args());
            (shell, "Bad file descriptor")
        }
    }
}

const WAYS: [&str; 3] = ["full", "unread", "closed"];

#[test]
fn a_command_that_loses_its_output_fails_with_the_systems_message() {
    let env = TestEnv::with_sandbox(60);
    write_config(&env, "# none yet\n");
    for args in [
        &["--help"][..],
        &["--version"],
        &["add", "--help"],
        &["check"],
        &["doctor"],
        &["doctor", "--json"],
        &["sandbox"],
        &["demo", "--quick"],
    ] {
        for how in WAYS {
            let (mut command, word) = broken(&env, args, how);
            let output = command.stdin(Stdio::null()).output().unwrap();
            let said = String::from_utf8_lossy(&output.stderr);
            let line = format!("jetond: cannot write to standard output: {word}");
            assert_eq!(output.status.code(), Some(1), "{args:?} {how}: {said}");
            assert_eq!(said.matches(&line).count(), 1, "{args:?} {how}: {said}");
        }
    }
    let left: Vec<_> = fs::read_dir(env.path("tmp")).unwrap().collect();
    assert!(left.is_empty(), "{left:?}");
}

#[test]
fn a_command_completes_although_its_output_is_lost() {
    let env = TestEnv::with_sandbox(60);
    let mut daemon = env.start();
    let (url, secret) = (env.sandbox().url(), env.secret_file());
    let secret = secret.to_str().unwrap();
    for (n, how) in WAYS.into_iter().enumerate() {
        let name = format!("p{n}");
        let args = ["add", &name, "--provider", "runai", "--url", &url];
        let more = ["--client-id", "test-client", "--client-secret-file", secret];
        let (command, word) = broken(&env, &[&args[..], &more].concat(), how);
        let mut command = command;
        let output = command.stdin(Stdio::null()).output().unwrap();
        let said = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(1), "{how}: {said}");
        assert!(said.contains(word), "{how}: {said}");
        assert!(
            said.contains(&format!("jetond: {name} is enrolled")),
            "{how}: {said}"
        );
        // The daemon learned of the profile anyway.
        env.token(&daemon, &name);
    }
    for (n, how) in WAYS.into_iter().enumerate() {
        let name = format!("p{n}");
        let (mut command, word) = broken(&env, &["remove", &name, "--yes"], how);
        let output = command.stdin(Stdio::null()).output().unwrap();
        let said = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(1), "{how}: {said}");
        assert!(said.contains(word), "{how}: {said}");
        let line = format!("jetond: {name} is removed from this machine");
        assert!(said.contains(&line), "{how}: {said}");
        assert!(!env.record(&name).exists());
    }
    env.stop(&mut daemon);
}

#[test]
fn a_fault_found_by_check_decides_the_exit_code_although_output_is_lost() {
    let env = TestEnv::new();
    write_config(
        &env,
        "[profiles.a]\nprovider = 'runai'\nurl = 'https://a.example'\n",
    );
    for how in WAYS {
        let (mut command, _) = broken(&env, &["check"], how);
        let output = command.stdin(Stdio::null()).output().unwrap();
        assert_eq!(output.status.code(), Some(78), "{how}: {output:?}");
    }
}

#[test]
fn output_to_the_null_device_is_not_a_failure() {
    let env = TestEnv::new();
    write_config(&env, "# none yet\n");
    for (read, write) in [(true, true), (false, true)] {
        let null = File::options().read(read).write(write).open("/dev/null");
        let mut command = env.jetond_command(&["check"]);
        let status = command.stdout(null.unwrap()).status().unwrap();
        assert_eq!(status.code(), Some(0));
    }
}
