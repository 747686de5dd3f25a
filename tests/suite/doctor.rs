//! `jetond doctor`: it finds and names each fault, with a remedy, and neither sends nor shows a secret.
#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "test helpers panic on an unexpected result, as tests do"
)]

mod truth;
mod units;

use std::fs::{self, Permissions};
use std::net::TcpListener;
use std::os::unix::fs::PermissionsExt as _;

use rustix::process::Signal;
use serde_json::Value;

use crate::enrol::write_config;
use crate::support::TestEnv;

/// Runs `doctor` and returns the exit code and the findings.
pub(crate) fn doctor(env: &TestEnv, args: &[&str]) -> (i32, Vec<Value>) {
    let examined = env.jetond(&[&["doctor", "--json"], args].concat());
    let findings = serde_json::from_str(&examined.stdout);
    (
        examined.code,
        findings.unwrap_or_else(|e| unreachable!("{e}: {examined:?}")),
    )
}

/// Returns the verdict of the only finding of this check, and its text with the remedy.
#[track_caller]
fn about(findings: &[Value], check: &str) -> (String, String) {
    let found: Vec<_> = findings.iter().filter(|f| f["check"] == check).collect();
    assert_eq!(found.len(), 1, "{check} in {findings:#?}");
    let text = |key: &str| found[0][key].as_str().unwrap_or_default();
    (
        text("verdict").to_owned(),
        format!("{}; {}", text("found"), text("remedy")),
    )
}

#[track_caller]
pub(crate) fn assert_about(findings: &[Value], check: &str, verdict: &str, says: &str) {
    let (is, text) = about(findings, check);
    assert_eq!(is, verdict, "{check}: {text}");
    assert!(text.contains(says), "{check}: {text}");
}

fn set_mode(env: &TestEnv, path: &str, mode: u32) {
    fs::set_permissions(env.path(path), Permissions::from_mode(mode)).unwrap();
}

#[test]
fn doctor_reports_a_healthy_daemon_as_ok_and_requests_no_token() {
    let env = TestEnv::with_sandbox(3_600);
    env.enrol("research");
    let mut daemon = env.start();
    env.token(&daemon, "research");
    let issued = env.sandbox().issued().len();
    let (code, findings) = doctor(&env, &[]);
    assert_eq!(code, 0, "{findings:#?}");
    for check in [
        "configuration",
        "sockets",
        "state",
        "daemon",
        "credential",
        "issuer",
        "clock",
    ] {
        assert_about(&findings, check, "ok", "");
    }
    let pid = format!("process {}", daemon.child.id());
    assert_about(&findings, "daemon", "ok", &pid);
    assert_about(&findings, "credential", "ok", &env.sandbox().url());
    assert_eq!(
        env.sandbox().issued().len(),
        issued,
        "the doctor requested no token"
    );
    env.stop(&mut daemon);
}

#[test]
fn doctor_recognizes_a_daemon_without_socket_by_its_lock() {
    let env = TestEnv::with_sandbox(3_600);
    env.enrol("research");
    let mut daemon = env.start();
    // Stopped, so that it cannot create the socket again.
    daemon.signal(Signal::STOP);
    fs::remove_file(&daemon.socket).unwrap();
    let (code, findings) = doctor(&env, &[]);
    assert_eq!(code, 1, "{findings:#?}");
    assert_about(&findings, "daemon", "fail", "its socket is missing");
    // A second daemon could not run while the first one holds the lock.
    for check in ["credential", "issuer"] {
        assert_about(&findings, check, "skip", "; fix the daemon first");
    }
    let lock = format!("{}.lock", daemon.socket.display());
    daemon.signal(Signal::KILL);
    daemon.wait();
    assert!(fs::exists(&lock).unwrap());
    let (code, findings) = doctor(&env, &[]);
    assert_eq!(code, 0, "{findings:#?}");
    assert_about(&findings, "daemon", "warn", "no daemon is running at");
    // The next daemon gets the lock.
    let mut daemon = env.start();
    env.stop(&mut daemon);
}

#[test]
fn without_a_terminal_each_finding_is_one_line() {
    let env = TestEnv::with_sandbox(3_600);
    env.enrol("research");
    env.fault("refuse");
    let examined = env.jetond(&["doctor"]);
    assert_eq!(examined.code, 1, "{examined:?}");
    let lines: Vec<_> = examined.stdout.lines().collect();
    assert!(
        lines[0].starts_with("ok    configuration         "),
        "{examined:?}"
    );
    assert!(
        lines
            .iter()
            .any(|line| line.starts_with("warn  daemon                no daemon is running at "))
    );
    let issuer = lines
        .iter()
        .find(|line| line.contains("research: issuer"))
        .unwrap();
    assert!(
        issuer.starts_with("fail  research: issuer      cannot connect to "),
        "{issuer}"
    );
    assert!(
        issuer.contains("refused") && issuer.contains("; check its port"),
        "{issuer}"
    );
    assert!(!examined.stdout.contains('\u{1b}'));
}

#[test]
fn without_a_daemon_or_a_profile_doctor_says_how_to_get_one() {
    let env = TestEnv::new();
    let (code, findings) = doctor(&env, &[]);
    assert_eq!(code, 0, "{findings:#?}");
    assert_about(&findings, "configuration", "warn", "jetond add NAME");
    assert_about(&findings, "daemon", "warn", "jetond run");
    let (code, findings) = doctor(&env, &["--config", "/nonexistent/config.toml"]);
    assert_eq!(code, 78);
    assert_about(&findings, "configuration", "fail", "there is no such file");
}

#[test]
fn doctor_lists_every_fault_of_the_configuration() {
    let env = TestEnv::new();
    write_config(&env, "[profiles.research]\nprovider = 'runia'\nurl = 7\n");
    let (code, findings) = doctor(&env, &[]);
    assert_eq!(code, 78, "{findings:#?}");
    let faults = findings.iter().filter(|f| f["check"] == "configuration");
    assert_eq!(faults.count(), 2, "{findings:#?}");
    assert_about(&findings, "daemon", "warn", "");
}

#[test]
fn files_accessible_to_others_are_a_fault() {
    let env = TestEnv::with_sandbox(3_600);
    env.enrol("research");
    for (path, mode, check, code) in [
        ("state/jeton/credentials", 0o755, "state", 1),
        (
            "state/jeton/credentials/research.json",
            0o644,
            "credential",
            1,
        ),
        ("config/jeton/config.toml", 0o666, "configuration", 78),
    ] {
        let before = fs::metadata(env.path(path)).unwrap().permissions();
        set_mode(&env, path, mode);
        let (is, findings) = doctor(&env, &[]);
        assert_eq!(is, code, "{path} {findings:#?}");
        assert_about(&findings, check, "fail", "chmod ");
        fs::set_permissions(env.path(path), before).unwrap();
    }
    fs::create_dir(env.path("run/jeton")).unwrap();
    set_mode(&env, "run/jeton", 0o777);
    let (code, findings) = doctor(&env, &[]);
    assert_eq!(code, 1, "{findings:#?}");
    assert_about(&findings, "sockets", "fail", "chmod 700");
}

#[test]
fn doctor_distinguishes_stale_foreign_and_hanging_sockets() {
    let env = TestEnv::new();
    let mut daemon = env.start();
    daemon.child.kill().unwrap();
    daemon.wait();
    let (code, findings) = doctor(&env, &[]);
    assert_eq!(code, 0, "{findings:#?}");
    assert_about(&findings, "daemon", "warn", "no daemon is listening");

    let mut daemon = env.start();
    daemon.signal(Signal::STOP);
    let (code, findings) = doctor(&env, &[]);
    assert_eq!(code, 1, "{findings:#?}");
    assert_about(&findings, "daemon", "fail", "did not answer");
    daemon.signal(Signal::CONT);
    env.stop(&mut daemon);

    let file = env.path("run/jeton/file");
    fs::write(&file, "").unwrap();
    let (code, findings) = doctor(&env, &["--socket", file.to_str().unwrap()]);
    assert_eq!(code, 1, "{findings:#?}");
    assert_about(&findings, "daemon", "fail", "is not a socket");
}

#[test]
fn a_credential_that_is_missing_or_bound_elsewhere_is_a_fault() {
    let env = TestEnv::with_sandbox(3_600);
    env.enrol("research");
    let config = fs::read_to_string(env.config()).unwrap();
    let other = TcpListener::bind("127.0.0.1:0").unwrap();
    let elsewhere = format!("http://{}", other.local_addr().unwrap());
    drop(other);
    write_config(&env, config.replace(&env.sandbox().url(), &elsewhere));
    let (code, findings) = doctor(&env, &[]);
    assert_eq!(code, 1, "{findings:#?}");
    assert_about(
        &findings,
        "credential",
        "fail",
        &format!("and is {elsewhere} now; if that is right: jetond add research --rebind"),
    );

    write_config(&env, &config);
    fs::remove_file(env.record("research")).unwrap();
    let (code, findings) = doctor(&env, &[]);
    assert_eq!(code, 1, "{findings:#?}");
    assert_about(
        &findings,
        "credential",
        "fail",
        "none is stored; jetond add research --rebind",
    );
}

#[test]
fn doctor_reports_a_keyring_without_a_session_bus() {
    let env = TestEnv::with_sandbox(3_600);
    env.enrol("research");
    let config = fs::read_to_string(env.config()).unwrap();
    write_config(&env, config.replace("\"file\"", "\"keyring\""));
    let (code, findings) = doctor(&env, &[]);
    assert_eq!(code, 1, "{findings:#?}");
    assert_about(&findings, "credential", "fail", "OS keyring");
}

#[test]
fn a_hanging_issuer_times_out_and_its_clock_is_checked() {
    let env = TestEnv::with_sandbox(3_600);
    env.enrol("research");
    env.fault("hang");
    let (code, findings) = doctor(&env, &[]);
    assert_eq!(code, 1, "{findings:#?}");
    assert_about(&findings, "issuer", "fail", "within 5s");

    for (fault, says) in [("skew:600", "behind"), ("skew:-600", "ahead of")] {
        env.fault(fault);
        let (code, findings) = doctor(&env, &[]);
        assert_eq!(code, 0, "{findings:#?}");
        assert_about(&findings, "clock", "warn", says);
    }
}

#[test]
fn an_unresolvable_name_and_an_unused_proxy_are_reported() {
    let mut env = TestEnv::new();
    // The host's name is reserved and never resolves (RFC 6761). The proxy's address has a password.
    write_config(
        &env,
        "[profiles.research]\nprovider = 'runai'\nurl = 'https://acme.invalid'\n",
    );
    env.forbid("the proxy's password", "proxy-password-never-shown");
    let mut command = env.jetond_command(&["doctor", "--json"]);
    command.env(
        "HTTPS_PROXY",
        "http://u:proxy-password-never-shown@proxy:3128",
    );
    let examined = env.finish("doctor", command, b"", false);
    assert_eq!(examined.code, 1, "{examined:?}");
    let findings: Vec<Value> = serde_json::from_str(&examined.stdout).unwrap();
    assert_about(&findings, "issuer", "fail", "acme.invalid");
    assert_about(&findings, "proxy", "warn", "HTTPS_PROXY is set");
}
