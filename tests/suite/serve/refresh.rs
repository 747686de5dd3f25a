//! Refreshes requested by the user.

use super::{members, unix_now};
use crate::support::TestEnv;

const REFRESH: &str = "/v1/profiles/research/refresh";

#[test]
fn a_refresh_brings_a_new_token_and_is_rate_limited() {
    let env = TestEnv::with_sandbox(3_600);
    env.enrol("research");
    let mut daemon = env.start();
    let post = || env.request(&daemon.socket, "POST", REFRESH, &[], b"");
    let first = env.get(&daemon, "/v1/profiles/research/token").json();
    let refreshed = post();
    assert_eq!(refreshed.status, 200, "{refreshed:?}");
    assert_eq!(refreshed.json()["counts"]["refreshes"], 2);
    let second = env.get(&daemon, "/v1/profiles/research/token").json();
    assert_eq!(refreshed.json()["generation"], second["generation"]);
    assert!(second["generation"].as_u64() > first["generation"].as_u64());
    assert_ne!(second["access_token"], first["access_token"]);

    let before = unix_now();
    let refused = post();
    assert_eq!(
        (refused.status, refused.code().as_str()),
        (429, "too_many_requests")
    );
    let problem = refused.json();
    assert_eq!(
        members(&problem),
        ["code", "detail", "profile", "retry_at", "status", "title"]
    );
    let retry_at = problem["retry_at"].as_u64().unwrap();
    assert!((before..=unix_now() + 11).contains(&retry_at), "{problem}");
    let wait: u64 = refused.header("retry-after").unwrap().parse().unwrap();
    assert!((1..=11).contains(&wait), "{wait}");
    assert_eq!(
        env.token(&daemon, "research"),
        second["access_token"].as_str().unwrap()
    );
    env.stop(&mut daemon);
}

#[test]
fn a_failed_refresh_is_reported_and_keeps_the_token() {
    let env = TestEnv::with_sandbox(3_600);
    env.enrol("research");
    let mut daemon = env.start();
    let held = env.token(&daemon, "research");
    env.fault("status:500");
    let refused = env.request(&daemon.socket, "POST", REFRESH, &[], b"");
    assert_eq!(
        (refused.status, refused.code().as_str()),
        (503, "unavailable")
    );
    assert!(
        refused.json()["detail"]
            .as_str()
            .unwrap()
            .contains("still served")
    );
    assert!(refused.header("retry-after").is_some());
    assert_eq!(env.token(&daemon, "research"), held);
    env.stop(&mut daemon);
}
