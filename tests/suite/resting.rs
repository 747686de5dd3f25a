//! Idle profiles: the daemon does nothing for a profile without requests.

use std::fs;
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::support::TestEnv;
use crate::support::daemon::{Daemon, wait_until};

#[test]
fn an_idle_profile_makes_no_attempts_and_a_request_wakes_it() {
    let env = TestEnv::with_sandbox(2);
    env.enrol("research");
    let mut daemon = env.start();
    let status = || -> Value {
        let shown = env.jeton(&["status", "research", "--json"]);
        let all: Value = serde_json::from_str(&shown.stdout).unwrap();
        all["profiles"][0].clone()
    };
    wait_until("the profile to be resting", || {
        status()["phase"] == "resting"
    });
    let before = env.sandbox().stats().token_requests;
    assert!(
        before >= 3,
        "the enrolment and the refreshes made only {before} requests"
    );
    wait_until("its token to expire", || status()["expires_in"].is_null());
    let resting = status();
    assert_eq!(resting["phase"], "resting");
    assert_eq!(resting["next_attempt_at"], Value::Null);
    assert_eq!(env.sandbox().stats().token_requests, before);
    let token = env.token(&daemon, "research");
    assert_eq!(env.sandbox().issued().last(), Some(&token));
    assert_eq!(env.sandbox().stats().token_requests, before + 1);
    assert_eq!(status()["phase"], "fresh");
    env.stop(&mut daemon);
}

/// How long the daemon is observed: longer than any period that it could have. `.ci/long` sets ten minutes.
fn at_rest() -> Duration {
    let seconds = std::env::var("JETON_REST_SECONDS").ok();
    Duration::from_secs(seconds.map_or(65, |seconds| seconds.parse().unwrap()))
}

/// Returns the voluntary context switches of all threads of a process. A sleeping thread makes one each time it wakes.
fn switches(daemon: &Daemon) -> u64 {
    let threads = fs::read_dir(format!("/proc/{}/task", daemon.child.id())).unwrap();
    threads
        // A thread may have ended since it was listed.
        .filter_map(|thread| fs::read_to_string(thread.unwrap().path().join("status")).ok())
        .filter_map(|status| {
            let line = status.lines().find(|line| line.starts_with("voluntary_"))?;
            line.split_whitespace().last()?.parse::<u64>().ok()
        })
        .sum()
}

#[test]
#[cfg(target_os = "linux")]
fn an_idle_daemon_is_never_woken() {
    let env = TestEnv::with_sandbox(86_400);
    env.enrol("research");
    let mut daemon = env.start();
    env.token(&daemon, "research");
    // Idle threads end after ten seconds.
    let mut quiet = (switches(&daemon), Instant::now());
    wait_until("twelve quiet seconds", || {
        let now = switches(&daemon);
        if now != quiet.0 {
            quiet = (now, Instant::now());
        }
        quiet.1.elapsed() >= Duration::from_secs(12)
    });
    #[expect(
        clippy::disallowed_methods,
        reason = "the test asserts that nothing happens during this time"
    )]
    std::thread::sleep(at_rest());
    assert_eq!(switches(&daemon) - quiet.0, 0, "wake-ups");
    env.stop(&mut daemon);
}
