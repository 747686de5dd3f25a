//! Reloads: what did not change in the configuration stays as it is.

use std::fs;
use std::time::Instant;

use serde_json::json;

use crate::support::TestEnv;
use crate::support::daemon::Daemon;
use crate::support::http::Response;

fn reload(env: &TestEnv, daemon: &Daemon) -> Response {
    env.request(&daemon.admin, "POST", "/v1/reload", &[], b"")
}

fn change_config(env: &TestEnv, change: impl FnOnce(String) -> String) {
    let text = fs::read_to_string(env.config()).unwrap();
    fs::write(env.config(), change(text)).unwrap();
}

fn generation(env: &TestEnv, daemon: &Daemon, profile: &str) -> u64 {
    let response = env.get(daemon, &format!("/v1/profiles/{profile}/token"));
    assert_eq!(response.status, 200, "{response:?}");
    response.json()["generation"].as_u64().unwrap()
}

#[test]
fn a_reload_keeps_unchanged_starts_new_and_drops_removed_profiles() {
    let env = TestEnv::with_sandbox(3_600);
    env.enrol("research");
    let one = fs::read_to_string(env.config()).unwrap();
    env.enrol("ci");
    let both = fs::read_to_string(env.config()).unwrap();
    fs::write(env.config(), &one).unwrap();
    let mut daemon = env.start();
    let held = generation(&env, &daemon, "research");
    let token = env.token(&daemon, "research");

    let asked = env.sandbox().stats().token_requests;
    let response = reload(&env, &daemon);
    assert_eq!(response.status, 200);
    assert_eq!(response.header("cache-control"), Some("no-store"));
    assert_eq!(
        response.json(),
        json!({ "added": 0, "removed": 0, "changed": 0, "kept": 1 })
    );
    assert_eq!(generation(&env, &daemon, "research"), held);
    assert_eq!(
        env.sandbox().stats().token_requests,
        asked,
        "no token was requested"
    );

    assert_eq!(
        env.get(&daemon, "/v1/profiles/ci/token").code(),
        "unknown_profile"
    );
    fs::write(env.config(), &both).unwrap();
    assert_eq!(
        reload(&env, &daemon).json(),
        json!({ "added": 1, "removed": 0, "changed": 0, "kept": 1 })
    );
    assert!(generation(&env, &daemon, "ci") > 0);
    assert_eq!(env.sandbox().stats().token_requests, asked + 1);
    assert_eq!(generation(&env, &daemon, "research"), held);
    assert_eq!(env.token(&daemon, "research"), token);

    fs::write(env.config(), &one).unwrap();
    assert_eq!(
        reload(&env, &daemon).json(),
        json!({ "added": 0, "removed": 1, "changed": 0, "kept": 1 })
    );
    assert_eq!(
        env.get(&daemon, "/v1/profiles/ci/token").code(),
        "unknown_profile"
    );
    assert_eq!(generation(&env, &daemon, "research"), held);
    env.stop(&mut daemon);
}

#[test]
fn a_changed_profile_restarts_with_a_larger_generation() {
    let env = TestEnv::with_sandbox(3_600);
    env.enrol("research");
    let mut daemon = env.start();
    let held = generation(&env, &daemon, "research");
    change_config(&env, |text| format!("{text}api = \"v2\"\n"));
    assert_eq!(
        reload(&env, &daemon).json(),
        json!({ "added": 0, "removed": 0, "changed": 1, "kept": 0 })
    );
    assert!(generation(&env, &daemon, "research") > held);
    env.stop(&mut daemon);
}

#[test]
fn a_changed_refresh_policy_keeps_the_token_and_makes_no_attempt() {
    let env = TestEnv::with_sandbox(3_600);
    env.enrol("research");
    let one = fs::read_to_string(env.config()).unwrap();
    let mut daemon = env.start();
    let held = generation(&env, &daemon, "research");
    let asked = env.sandbox().stats().token_requests;
    for round in 0..5 {
        for policy in [
            "keep-warm = true\n",
            "reissue = \"kills-old\"\n",
            "keep-warm = true\nreissue = \"same-until-expiry\"\n",
            "",
        ] {
            fs::write(env.config(), format!("{one}{policy}")).unwrap();
            assert_eq!(
                reload(&env, &daemon).json(),
                json!({ "added": 0, "removed": 0, "changed": 1, "kept": 0 }),
                "{round} {policy}"
            );
        }
    }
    assert_eq!(generation(&env, &daemon, "research"), held);
    assert_eq!(env.sandbox().stats().token_requests, asked);
    env.stop(&mut daemon);
}

#[test]
fn a_profile_changed_repeatedly_makes_two_attempts_per_second_at_most() {
    let env = TestEnv::with_sandbox(3_600);
    env.enrol("research");
    let one = fs::read_to_string(env.config()).unwrap();
    let mut daemon = env.start();
    generation(&env, &daemon, "research");
    let (asked, start) = (env.sandbox().stats().token_requests, Instant::now());
    for _ in 0..10 {
        for api in ["api = \"v2\"\n", ""] {
            fs::write(env.config(), format!("{one}{api}")).unwrap();
            assert_eq!(reload(&env, &daemon).json()["changed"], 1);
        }
    }
    let calls = env.sandbox().stats().token_requests - asked;
    // Two calls in each second that has begun, and those of the second before.
    let most = 2 * (start.elapsed().as_secs() + 2);
    assert!(calls <= most, "{calls} calls in {:?}", start.elapsed());
    generation(&env, &daemon, "research");
    env.stop(&mut daemon);
}

#[test]
fn an_invalid_configuration_changes_nothing() {
    let env = TestEnv::with_sandbox(3_600);
    env.enrol("research");
    let mut daemon = env.start();
    let held = generation(&env, &daemon, "research");
    let good = fs::read_to_string(env.config()).unwrap();
    for bad in [
        "[profiles.research]\nprovider = \"runia\"\ncolour = 1\n",
        "not TOML",
        "[profiles.Research]\n",
    ] {
        fs::write(env.config(), bad).unwrap();
        let response = reload(&env, &daemon);
        assert_eq!(
            (response.status, response.code().as_str()),
            (503, "misconfigured"),
            "{bad}"
        );
        assert!(
            response.json()["detail"]
                .as_str()
                .unwrap()
                .contains("the old one stays in force")
        );
        assert_eq!(generation(&env, &daemon, "research"), held);
    }
    daemon.wait_for_log("did you mean");
    daemon.wait_for_log("unknown key");
    fs::write(env.config(), good).unwrap();
    assert_eq!(reload(&env, &daemon).json()["kept"], 1);
    assert_eq!(generation(&env, &daemon, "research"), held);
    env.stop(&mut daemon);
}

#[test]
fn a_reload_loads_a_replaced_credential_and_keeps_the_token() {
    let env = TestEnv::with_sandbox(3_600);
    env.enrol("research");
    let mut daemon = env.start();
    let held = generation(&env, &daemon, "research");
    let record = fs::read_to_string(env.record("research")).unwrap();
    assert_eq!(record.matches("test-client").count(), 1, "{}", record.len());
    // The sandbox knows no other client, so this one is rejected. The held token stays.
    fs::write(
        env.record("research"),
        record.replace("test-client", "other-client"),
    )
    .unwrap();
    assert_eq!(reload(&env, &daemon).json()["kept"], 1);
    daemon.wait_for_log("the credential was replaced");
    assert_eq!(generation(&env, &daemon, "research"), held);
    env.stop(&mut daemon);
}

#[test]
fn a_dry_run_of_a_reload_returns_the_daemons_source_and_reads_nothing() {
    let env = TestEnv::with_sandbox(3_600);
    env.enrol("research");
    let mut daemon = env.start();
    let ask = |body: &str| env.request(&daemon.admin, "POST", "/v1/reload", &[], body.as_bytes());
    change_config(&env, |text| text.replace("research", "other"));
    let answer = ask(r#"{"dry_run":true}"#);
    assert_eq!(answer.status, 200, "{answer:?}");
    let source = answer.json()["source"].as_str().unwrap().to_owned();
    assert_eq!(answer.json()["changed"], 0, "{answer:?}");
    let same = ask(&json!({"source": source, "dry_run": true}).to_string());
    assert_eq!(same.status, 200, "{same:?}");
    let other = ask(&json!({"source": "1:2", "dry_run": true}).to_string());
    assert_eq!(
        (other.status, other.code().as_str()),
        (409, "conflict"),
        "{other:?}"
    );
    assert!(generation(&env, &daemon, "research") > 0);
    assert_eq!(reload(&env, &daemon).json()["removed"], 1);
    env.stop(&mut daemon);
}
