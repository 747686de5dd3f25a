//! Persistent faults in the log: one line when a fault begins, and one when it ends.
#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "test helpers panic on an unexpected result, as tests do"
)]

use std::fs;

use jetond::sandbox::Line;

use crate::support::TestEnv;
use crate::support::daemon::{Daemon, wait_until};

/// Returns the number of log lines with this text.
fn count(daemon: &Daemon, text: &str) -> usize {
    let log = daemon.log_up_to_now();
    log.lines().filter(|line| line.contains(text)).count()
}

fn reload(env: &TestEnv, code: i32) {
    for _ in 0..3 {
        let reload = env.jeton(&["reload"]);
        assert_eq!(reload.code, code, "{reload:?}");
    }
}

#[test]
fn faults_of_a_configuration_that_stays_invalid_are_logged_once() {
    let env = TestEnv::with_sandbox(3_600);
    env.enrol("research");
    let good = fs::read_to_string(env.config()).unwrap();
    let mut daemon = env.start_with(&["--log-format", "json"]);
    for round in 1..=2 {
        fs::write(env.config(), format!("{good}colour = 1\nshape = 2\n")).unwrap();
        reload(&env, 78);
        assert_eq!(count(&daemon, "profiles.research.colour"), round);
        assert_eq!(count(&daemon, "profiles.research.shape"), round);
        assert_eq!(
            count(&daemon, "still invalid for the same reasons"),
            4 * round - 2
        );
        // A different fault is logged.
        fs::write(env.config(), format!("{good}size = 3\n")).unwrap();
        reload(&env, 78);
        assert_eq!(count(&daemon, "profiles.research.size"), round);
        fs::write(env.config(), &good).unwrap();
        reload(&env, 0);
    }
    env.stop(&mut daemon);
}

#[test]
fn a_changed_setting_that_needs_a_restart_is_logged_once() {
    let env = TestEnv::with_sandbox(3_600);
    env.enrol("research");
    let good = fs::read_to_string(env.config()).unwrap();
    let mut daemon = env.start();
    for round in 1..=2 {
        fs::write(env.config(), format!("[socket]\nmode = \"all\"\n{good}")).unwrap();
        reload(&env, 0);
        assert_eq!(count(&daemon, "restart needed"), round);
        fs::write(env.config(), &good).unwrap();
        reload(&env, 0);
    }
    env.stop(&mut daemon);
}

#[test]
fn an_unreadable_credential_and_its_recovery_are_each_logged_once() {
    let env = TestEnv::with_sandbox(3_600);
    env.enrol("research");
    let record = fs::read(env.record("research")).unwrap();
    let mut daemon = env.start();
    let token = env.token(&daemon, "research");
    for round in 1..=2 {
        fs::write(env.record("research"), "{").unwrap();
        reload(&env, 0);
        assert_eq!(count(&daemon, "the credential cannot be read"), round);
        assert_eq!(count(&daemon, "can be read again"), round - 1);
        fs::write(env.record("research"), &record).unwrap();
        reload(&env, 0);
        assert_eq!(count(&daemon, "can be read again"), round);
    }
    assert_eq!(env.token(&daemon, "research"), token);
    env.stop(&mut daemon);
}

#[test]
fn an_expiry_in_an_outage_and_the_recovery_are_logged_once() {
    let mut env = TestEnv::with_sandbox(3_600);
    let short = env.add_sandbox(Line::V2_24, 3);
    let url = env.sandboxes().get(short).unwrap().url();
    env.enrol_at("research", &url);
    let good = fs::read_to_string(env.config()).unwrap();
    fs::write(env.config(), format!("{good}keep-warm = true\n")).unwrap();
    let mut command = env.jetond_command(&["run", "--log-format", "json"]);
    // A log with warnings only, to show what it reports about an outage.
    command.env("JETON_LOG", "warn,jetond::daemon::serve=trace");
    let mut daemon = env.start_command(command);
    for round in 1..=2 {
        env.token(&daemon, "research");
        env.fault_at(short, "status:503");
        wait_until("the expiry", || {
            count(&daemon, "the token has expired") == round
        });
        let before = failures(&env, &daemon);
        wait_until("more attempts", || failures(&env, &daemon) >= before + 2);
        assert_eq!(count(&daemon, "the token has expired"), round);
        assert_eq!(count(&daemon, "callers get tokens again"), round - 1);
        env.fault_at(short, "none");
        wait_until("the recovery", || {
            count(&daemon, "callers get tokens again") == round
        });
    }
    env.stop(&mut daemon);
    let log = daemon.log();
    let lines = log
        .lines()
        .map(|line| serde_json::from_str::<serde_json::Value>(line).unwrap());
    let mut seen = 0;
    for line in lines.filter(|line| line["level"] == "WARN") {
        assert_eq!(line["profile"], "research", "{line}");
        let message = line["message"].as_str().unwrap();
        if message.starts_with("the token has expired") {
            assert_eq!(line["kind"], "server_error", "{line}");
            assert!(line["detail"].as_str().unwrap().contains("503"), "{line}");
            assert!(line["failing_for"].as_u64().unwrap() < 60, "{line}");
            seen += 1;
        } else if message == "callers get tokens again" {
            assert!(line["failed_for"].is_u64(), "{line}");
            seen += 1;
        }
    }
    assert_eq!(seen, 4, "{log}");
}

/// Requests the token, which may cause an attempt. Returns the number of failed attempts.
fn failures(env: &TestEnv, daemon: &Daemon) -> u64 {
    let _ = env.get(daemon, "/v1/profiles/research/token?max_wait=0");
    let state = env.get(daemon, "/v1/profiles/research").json();
    state["counts"]["failures"].as_u64().unwrap()
}
