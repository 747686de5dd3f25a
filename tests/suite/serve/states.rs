//! Profiles, readiness and health by path.

use super::{members, unix_now};
use crate::support::TestEnv;
use crate::support::daemon::wait_until;

const MEMBERS: [&str; 14] = [
    "clock_skew",
    "cooling_down_until",
    "counts",
    "expires_at",
    "expires_in",
    "generation",
    "key",
    "last_fault",
    "next_attempt_at",
    "phase",
    "profile",
    "provider",
    "queued_for",
    "reported",
];

#[test]
fn a_healthy_profile_has_exactly_the_documented_members() {
    let env = TestEnv::with_sandbox(3_600);
    env.enrol("research");
    let mut daemon = env.start();
    let token = env.get(&daemon, "/v1/profiles/research/token").json();
    env.token(&daemon, "research");
    let response = env.get(&daemon, "/v1/profiles/research");
    assert_eq!(response.header("content-type"), Some("application/json"));
    assert_eq!(response.header("cache-control"), Some("no-store"));
    let json = response.json();
    assert_eq!(members(&json), MEMBERS);
    assert_eq!(json["profile"], "research");
    assert_eq!(json["provider"], "runai");
    assert_eq!(json["phase"], "fresh");
    assert_eq!(json["last_fault"], serde_json::Value::Null);
    assert_eq!(json["generation"], token["generation"]);
    assert_eq!(
        json["counts"],
        serde_json::json!({ "requests": 2, "refreshes": 1, "failures": 0, "reports": 0 })
    );
    let number = |name: &str| json[name].as_u64().unwrap();
    assert!(number("expires_in") <= token["expires_in"].as_u64().unwrap());
    assert!(number("expires_at").abs_diff(token["expires_at"].as_u64().unwrap()) <= 1);
    // The refresh is due after 40 to 60 % of 3600 s.
    let next = number("next_attempt_at").checked_sub(unix_now()).unwrap();
    assert!((1_300..=2_165).contains(&next), "{next}");
    env.stop(&mut daemon);
}

#[test]
fn the_list_has_every_profile_by_name() {
    let env = TestEnv::with_sandbox(3_600);
    env.enrol("research");
    env.enrol("ci");
    let mut daemon = env.start();
    // The state of a key is known only after its credential was read.
    for name in ["ci", "research"] {
        env.token(&daemon, name);
    }
    let json = env.get(&daemon, "/v1/profiles").json();
    assert_eq!(members(&json), ["profiles"]);
    let profiles = json["profiles"].as_array().unwrap();
    let names: Vec<_> = profiles
        .iter()
        .map(|p| p["profile"].as_str().unwrap())
        .collect();
    assert_eq!(names, ["ci", "research"]);
    for profile in profiles {
        assert_eq!(members(profile), MEMBERS);
    }
    env.stop(&mut daemon);
}

#[test]
fn a_daemon_without_profiles_is_ready_and_says_so() {
    let env = TestEnv::new();
    let mut daemon = env.start();
    let text = |target: &str| {
        let response = env.get(&daemon, target);
        assert_eq!(response.status, 200, "{response:?}");
        assert_eq!(response.header("cache-control"), Some("no-store"));
        response.text()
    };
    assert_eq!(text("/healthz"), "ok\n");
    assert_eq!(text("/readyz"), "ready\n");
    assert_eq!(text("/v1/profiles"), "{\"profiles\":[]}\n");
    assert_eq!(
        env.get(&daemon, "/readyz/research").code(),
        "unknown_profile"
    );
    env.stop(&mut daemon);
}

#[test]
fn an_outage_and_its_end_show_in_state_and_readiness() {
    let env = TestEnv::with_sandbox(3_600);
    env.enrol("research");
    env.fault("status:503");
    let mut daemon = env.start();
    wait_until("a failed attempt", || {
        env.get(&daemon, "/readyz/research").status == 503
            && env.get(&daemon, "/v1/profiles/research").json()["counts"]["failures"] != 0
    });
    let json = env.get(&daemon, "/v1/profiles/research").json();
    assert_eq!(members(&json), MEMBERS);
    assert_eq!(json["phase"], "retrying");
    assert!(
        json["expires_in"].is_null() && json["expires_at"].is_null(),
        "{json}"
    );
    assert_eq!(members(&json["last_fault"]), ["at", "detail", "kind"]);
    assert_eq!(json["last_fault"]["kind"], "server_error");
    assert!(
        json["last_fault"]["at"]
            .as_u64()
            .unwrap()
            .abs_diff(unix_now())
            < 60
    );

    assert_eq!(
        env.get(&daemon, "/readyz").status,
        200,
        "the daemon itself is ready"
    );
    let mut refused = env.get(&daemon, "/readyz/research");
    wait_until("a moment between two attempts", || {
        refused = env.get(&daemon, "/readyz/research");
        refused.status == 503
    });
    assert_eq!(refused.code(), "unavailable");
    let problem = refused.json();
    assert_eq!(
        members(&problem),
        ["code", "detail", "profile", "retry_at", "status", "title"]
    );
    assert_eq!(
        (&problem["status"], &problem["profile"]),
        (&503.into(), &"research".into())
    );
    let wait: u64 = refused.header("retry-after").unwrap().parse().unwrap();
    assert!((1..=61).contains(&wait), "{wait}");
    assert!(problem["retry_at"].as_u64().unwrap().abs_diff(unix_now()) <= 61);

    env.fault("none");
    wait_until("the recovery", || {
        env.get(&daemon, "/readyz/research").status == 200
    });
    let json = env.get(&daemon, "/v1/profiles/research").json();
    assert_eq!(json["phase"], "fresh");
    assert_eq!(
        json["last_fault"]["kind"], "server_error",
        "the last fault stays as history"
    );
    env.stop(&mut daemon);
}
