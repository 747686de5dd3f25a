//! Missing resources and system errors: no program aborts. Each one ends with an exit code, or serves.
#![cfg(target_os = "linux")]

use std::ffi::{OsStr, OsString};
use std::io::{Read as _, Write as _};
use std::os::unix::ffi::OsStringExt as _;
use std::os::unix::net::UnixStream;
use std::process::Command;
use std::time::Duration;

use rustix::process::Signal;

use crate::support::TestEnv;
use crate::support::daemon::{accepts, wait_until};

/// Returns a `jetond` command with this limit on open descriptors.
fn limited(env: &TestEnv, descriptors: u32, args: &[&str]) -> Command {
    let mut command = env.command("prlimit");
    command
        .arg(format!("--nofile={descriptors}:{descriptors}"))
        .arg(env!("CARGO_BIN_EXE_jetond"))
        .args(args);
    command
}

/// Runs a program to its end. Asserts that no signal ended it.
fn ends(env: &TestEnv, what: &str, command: Command) -> i32 {
    let output = env.finish(what, command, b"", false);
    assert!(output.code >= 0, "{what}: {output:?}");
    assert!(!output.stderr.contains("panicked"), "{what}: {output:?}");
    output.code
}

#[test]
fn too_few_descriptors_are_an_error_and_never_an_abort() {
    let env = TestEnv::with_sandbox(600);
    env.enrol("research");
    let secret = env.secret_file();
    let url = env.sandbox().url();
    let mut add = vec!["add", "more", "--provider", "runai", "--url", &url];
    add.extend(["--client-id", "test-client", "--client-secret-file"]);
    add.push(secret.to_str().unwrap());
    let (mut failed, mut served, mut told) = (0, 0, 0);
    for descriptors in 3..32 {
        for args in [&["check"][..], &["doctor"], &add, &["remove", "more"]] {
            let what = format!("{args:?} with {descriptors} descriptors");
            ends(&env, &what, limited(&env, descriptors, args));
        }
        for args in [&["demo", "--quick"][..], &["run", "--", "true"]] {
            // With enough descriptors, these commands succeed, so there is nothing to test.
            if descriptors < 16 {
                let what = format!("{args:?} with {descriptors} descriptors");
                ends(&env, &what, limited(&env, descriptors, args));
            }
        }
        let mut sandbox = env.spawn_command(limited(&env, descriptors, &["sandbox"]));
        wait_until("the sandbox to serve or to end", || {
            sandbox.child.try_wait().unwrap().is_some() || sandbox.log().contains("http://")
        });
        let status = sandbox.stop();
        assert!(status.code().is_some(), "{status}: {}", sandbox.log());
        let mut daemon = env.spawn_command(limited(&env, descriptors, &["run"]));
        wait_until("the daemon to serve or to end", || {
            daemon.child.try_wait().unwrap().is_some() || accepts(&daemon.admin)
        });
        if let Ok(mut stream) = UnixStream::connect(&daemon.socket) {
            // The test does not check whether or what it answers.
            stream
                .set_read_timeout(Some(Duration::from_secs(5)))
                .unwrap();
            let request = b"GET /v1/profiles/research/token?max_wait=1 HTTP/1.0\r\n\r\n";
            let _ = stream.write_all(request);
            let mut answer = vec![];
            let _ = stream.read_to_end(&mut answer);
            env.add_output("an answer", &answer, true);
            daemon.signal(Signal::HUP);
        }
        let status = daemon.stop();
        assert!(
            status.code().is_some(),
            "with {descriptors} descriptors: {status}: {}",
            daemon.log()
        );
        if status.success() {
            served += 1;
        } else {
            failed += 1;
        }
        let log = daemon.log();
        if log.contains("the system refused to start it: Too many open files") {
            assert!(
                log.contains("raise the limit of open files: LimitNOFILE="),
                "{log}"
            );
            told += 1;
        }
    }
    assert!(
        failed > 0 && served > 0 && told > 0,
        "{failed} {served} {told}"
    );
}

#[test]
fn no_environment_variable_causes_an_abort() {
    let env = TestEnv::with_sandbox(600);
    env.enrol("research");
    let odd = OsString::from_vec(vec![b'/', 0xff, b'\n']);
    let long = "9".repeat(100_000);
    let huge = usize::MAX.to_string();
    let values: [&OsStr; 7] = [
        "".as_ref(),
        "-1".as_ref(),
        "2147483647".as_ref(),
        "4294967296".as_ref(),
        huge.as_ref(),
        &odd,
        long.as_ref(),
    ];
    let names = [
        "LISTEN_FDS",
        "LISTEN_FDS_FIRST_FD",
        "LISTEN_FDNAMES",
        "LISTEN_PID",
        "NOTIFY_SOCKET",
        "WATCHDOG_USEC",
        "HOME",
        "USER",
        "TMPDIR",
        "XDG_RUNTIME_DIR",
        "XDG_STATE_HOME",
        "XDG_CONFIG_HOME",
        "STATE_DIRECTORY",
        "JETON_CONFIG",
        "JETON_SOCKET",
        "JETON_ADMIN_SOCKET",
        "JETON_LOG",
        "COLUMNS",
        "TERM",
        "NO_COLOR",
        "HTTPS_PROXY",
        "NO_PROXY",
        "RUST_BACKTRACE",
        "DBUS_SESSION_BUS_ADDRESS",
        "SSL_CERT_FILE",
    ];
    for name in names {
        for value in values {
            let what = format!("{name}={:.20}", value.to_string_lossy());
            let with = |args: &[&str]| {
                let mut command = env.jetond_command(args);
                command.env(name, value);
                command
            };
            ends(&env, &format!("check with {what}"), with(&["check"]));
            let mut command = with(&["run"]);
            if name == "LISTEN_FDS_FIRST_FD" {
                command.env("LISTEN_FDS", "2");
            }
            let mut daemon = env.spawn_command(command);
            wait_until(&format!("the daemon with {what}"), || {
                let log = daemon.log();
                daemon.child.try_wait().unwrap().is_some()
                    || log.contains("serving")
                    || (name == "JETON_LOG" && accepts(&daemon.admin))
            });
            let status = daemon.stop();
            assert!(
                status.code().is_some(),
                "{what}: {status}: {}",
                daemon.log()
            );
        }
    }
}

#[test]
fn invalid_arguments_and_closed_streams_do_not_abort() {
    let env = TestEnv::with_sandbox(600);
    env.enrol("research");
    let odd = OsString::from_vec(vec![0xff, b'\n', 0xfe]);
    for args in [
        vec![odd.clone()],
        vec!["check".into(), "--config".into(), odd.clone()],
        vec!["run".into(), "--socket".into(), odd.clone()],
        vec!["run".into(), "--".into(), odd.clone()],
        vec!["add".into(), odd.clone()],
        vec![
            "add".into(),
            "a".into(),
            "--provider".into(),
            "runai".into(),
            "--url".into(),
            odd.clone(),
        ],
        vec!["remove".into(), odd.clone()],
        vec!["doctor".into(), "--socket".into(), odd],
    ] {
        let mut command = env.jetond_command(&[]);
        command.args(&args);
        ends(&env, &format!("{args:?}"), command);
    }
    for args in [
        "check",
        "doctor",
        "add x --provider runai --url https://127.0.0.1:1",
        "remove x",
        "--help",
        "run -- true",
    ] {
        for streams in ["<&-", ">&-", "2>&-", "<&- >&- 2>&-"] {
            let mut command = env.command("sh");
            let jetond = env!("CARGO_BIN_EXE_jetond");
            command.args(["-c", &format!("{jetond} {args} {streams}")]);
            let code = ends(&env, &format!("{args} {streams}"), command);
            assert!(code < 128, "{args} {streams}: {code}");
        }
    }
}
