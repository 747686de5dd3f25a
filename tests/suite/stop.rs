//! Shutdown by a signal, and the daemon's last log lines.
#![expect(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "test helpers panic on an unexpected result, as tests do"
)]

use std::fs;
use std::io::Read as _;

use rustix::process::Signal;
use serde_json::Value;

use crate::support::TestEnv;
use crate::support::daemon::{Daemon, wait_until};
use crate::support::wire::{Wire, get};

/// Starts a daemon without a token whose issuer hangs, and a caller that waits for a token for this long.
fn waiting(env: &TestEnv, seconds: u32) -> (Daemon, Wire<'_>) {
    env.enrol("research");
    env.fault("hang");
    let daemon = env.start();
    let mut wire = Wire::new(env, &daemon.socket);
    wire.send(get(&format!(
        "/v1/profiles/research/token?max_wait={seconds}"
    )))
    .unwrap();
    wait_until("the daemon to receive the request", || {
        env.get(&daemon, "/v1/profiles/research").json()["counts"]["requests"] == 1
    });
    (daemon, wire)
}

#[test]
fn a_stop_signal_closes_idle_connections_and_removes_the_sockets() {
    for signal in [Signal::TERM, Signal::INT] {
        let env = TestEnv::with_sandbox(3_600);
        env.enrol("research");
        let mut daemon = env.start();
        let mut idle = Wire::new(&env, &daemon.socket);
        idle.send(get("/healthz")).unwrap();
        assert_eq!(idle.answer().status, 200);
        daemon.signal(signal);
        assert_eq!(idle.rest(), b"", "an idle connection is closed");
        assert_eq!(daemon.wait().code(), Some(0));
        assert!(!daemon.socket.exists() && !daemon.admin.exists());
        assert!(daemon.log().contains("stopping"));
        assert_told_to_leave(&daemon);
    }
}

#[test]
fn a_request_in_flight_is_answered_before_the_end() {
    let env = TestEnv::with_sandbox(3_600);
    let (mut daemon, mut wire) = waiting(&env, 1);
    daemon.signal(Signal::TERM);
    daemon.wait_for_log("stopping");
    assert!(daemon.child.try_wait().unwrap().is_none());
    let answer = wire.answer();
    assert_eq!((answer.status, answer.code().as_str()), (504, "deadline"));
    assert_eq!(wire.rest(), b"");
    assert_eq!(daemon.wait().code(), Some(0));
    assert!(!daemon.socket.exists());
    assert_told_to_leave(&daemon);
}

/// Asserts that the connections ended when they were asked to, not at the timeout.
fn assert_told_to_leave(daemon: &Daemon) {
    let log = daemon.log();
    assert!(!log.contains("did not end in time"), "{log}");
}

#[test]
fn a_reload_signal_does_not_shorten_a_stop_but_a_second_stop_does() {
    let env = TestEnv::with_sandbox(3_600);
    let (mut daemon, mut wire) = waiting(&env, 2);
    daemon.signal(Signal::TERM);
    daemon.wait_for_log("stopping");
    daemon.signal(Signal::HUP);
    assert_eq!(wire.answer().status, 504);
    assert_eq!(daemon.wait().code(), Some(0));

    env.fault("none");
    let env = TestEnv::with_sandbox(3_600);
    let (mut daemon, mut wire) = waiting(&env, 60);
    daemon.signal(Signal::TERM);
    daemon.wait_for_log("stopping");
    daemon.signal(Signal::INT);
    assert_eq!(daemon.wait().code(), Some(0));
    assert!(
        daemon.log().contains("stopping at once"),
        "the daemon does not wait for the grace period"
    );
    assert_eq!(wire.rest(), b"");
    assert!(!daemon.socket.exists() && !daemon.admin.exists());
}

#[test]
fn after_the_grace_period_requests_are_cut_off() {
    let env = TestEnv::with_sandbox(3_600);
    let (mut daemon, mut wire) = waiting(&env, 60);
    let mut watch = Wire::new(&env, &daemon.socket);
    watch.send(get("/v1/profiles/research/watch")).unwrap();
    watch.read_exact(&mut [0]).unwrap();
    daemon.signal(Signal::TERM);
    assert!(watch.rest().ends_with(b"0\r\n\r\n"));
    assert!(daemon.child.try_wait().unwrap().is_none());
    assert_eq!(wire.rest(), b"");
    assert_eq!(daemon.wait().code(), Some(0));
    let log = daemon.log();
    let line = "some connections did not end in time connections=1";
    assert!(log.contains(line), "{log}");
}

#[test]
fn a_reload_request_during_a_stop_is_refused() {
    let env = TestEnv::with_sandbox(3_600);
    env.enrol("research");
    let mut daemon = env.start();
    let mut wire = Wire::new(&env, &daemon.admin);
    wire.send("POST /v1/reload HTTP/1.1\r\nHost: localhost\r\nContent-Length: 2\r\n\r\n")
        .unwrap();
    // Connections are accepted in order.
    let mut later = Wire::new(&env, &daemon.admin);
    later.send(get("/healthz")).unwrap();
    later.answer();
    daemon.signal(Signal::TERM);
    daemon.wait_for_log("stopping");
    wire.send("{}").unwrap();
    let answer = wire.answer();
    assert_eq!(
        (answer.status, answer.code().as_str()),
        (503, "unavailable")
    );
    assert_eq!(daemon.wait().code(), Some(0));
    assert_told_to_leave(&daemon);
}

#[test]
fn sighup_reloads_and_a_broken_configuration_changes_nothing() {
    let env = TestEnv::with_sandbox(3_600);
    env.enrol("research");
    let mut daemon = env.start();
    let held = env.token(&daemon, "research");
    let good = fs::read_to_string(env.config()).unwrap();
    daemon.signal(Signal::HUP);
    daemon.wait_for_log("reloaded");
    fs::write(
        env.config(),
        "[profiles.research]\nprovider = \"runia\"\nurl = 7\n[profiles.Bad]\n",
    )
    .unwrap();
    daemon.signal(Signal::HUP);
    for place in ["config.toml:2:", "config.toml:3:", "config.toml:4:"] {
        daemon.wait_for_log(place);
    }
    assert_eq!(env.token(&daemon, "research"), held);
    fs::write(env.config(), good).unwrap();
    daemon.signal(Signal::HUP);
    wait_until("the second reload", || {
        daemon.log().matches("reloaded").count() == 2
    });
    assert_eq!(env.token(&daemon, "research"), held);
    env.stop(&mut daemon);
}

/// Parses the lines of a JSON log.
fn lines(daemon: &Daemon) -> Vec<Value> {
    daemon
        .log()
        .lines()
        .map(|line| serde_json::from_str(line).unwrap_or_else(|e| panic!("{e}: {line}")))
        .collect()
}

#[test]
fn each_json_log_line_has_time_level_target_message_and_profile() {
    let env = TestEnv::with_sandbox(3_600);
    env.enrol("research");
    env.fault("status:503");
    let mut daemon = env.start_with(&["--log-format", "json"]);
    daemon.wait_for_log("refresh failed");
    env.fault("none");
    daemon.wait_for_log("new token");
    env.get(&daemon, "/v1/profiles");
    env.stop(&mut daemon);
    let lines = lines(&daemon);
    for line in &lines {
        assert!(line["timestamp"].as_str().unwrap().ends_with('Z'), "{line}");
        let level = line["level"].as_str().unwrap();
        assert!(
            ["ERROR", "WARN", "INFO", "DEBUG", "TRACE"].contains(&level),
            "{line}"
        );
        assert!(!line["target"].as_str().unwrap().is_empty());
        assert!(!line["message"].as_str().unwrap().is_empty(), "{line}");
    }
    for message in [
        "profile is kept",
        "attempt starts",
        "refresh failed",
        "new token",
    ] {
        let line = lines
            .iter()
            .find(|line| line["message"] == message)
            .unwrap();
        assert_eq!(line["profile"], "research", "{line}");
        assert!(
            line["target"].as_str().unwrap().starts_with("jetond::"),
            "{line}"
        );
    }
    let failed = lines
        .iter()
        .find(|line| line["message"] == "refresh failed")
        .unwrap();
    assert_eq!(
        (&failed["level"], &failed["kind"]),
        (&"WARN".into(), &"server_error".into())
    );
    let serving = lines
        .iter()
        .find(|line| line["message"] == "serving")
        .unwrap();
    assert_eq!(serving["profile"], Value::Null);
}

#[test]
fn an_outage_is_logged_at_its_beginning_and_end() {
    let env = TestEnv::with_sandbox(3_600);
    env.enrol("research");
    env.fault("status:503");
    let mut command = env.jetond_command(&["run", "--log-format", "json"]);
    command.env_remove("JETON_LOG");
    let mut daemon = env.start_command(command);
    wait_until("several failures", || {
        env.get(&daemon, "/v1/profiles/research").json()["counts"]["failures"].as_u64() >= Some(3)
    });
    env.fault("none");
    wait_until("the recovery", || {
        env.get(&daemon, "/readyz/research").status == 200
    });
    for _ in 0..20 {
        env.token(&daemon, "research");
    }
    let mut connection = Wire::new(&env, &daemon.socket);
    connection.send("nonsense\r\n\r\n").unwrap();
    connection.rest();
    env.stop(&mut daemon);
    let lines = lines(&daemon);
    let messages: Vec<_> = lines
        .iter()
        .map(|line| line["message"].as_str().unwrap())
        .collect();
    assert_eq!(
        messages,
        [
            "profile is kept",
            "serving",
            "refresh failed",
            "new token",
            "stopping"
        ]
    );
    assert_eq!(lines[3]["recovered"], true);
}
