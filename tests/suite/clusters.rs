//! Warnings of `jetond doctor` and `jetond check` about clusters below 2.20, read with the token of a running daemon.
#![expect(
    clippy::unwrap_used,
    reason = "test helpers panic on an unexpected result, as tests do"
)]

use std::time::Instant;

use jetond::sandbox::{Line, Setting};

use crate::doctor::{assert_about, doctor};
use crate::support::TestEnv;
use crate::support::env::Output;

fn set(env: &TestEnv, setting: &str) {
    env.sandbox().set(Setting::parse(setting).unwrap());
}

/// Runs `check`, which must succeed, and returns its output and warnings.
fn check(env: &TestEnv, args: &[&str]) -> Output {
    let checked = env.jetond(&[&["check"], args].concat());
    assert_eq!(checked.code, 0, "{checked:?}");
    checked
}

#[test]
fn doctor_and_check_name_old_clusters_without_a_token_request() {
    let env = TestEnv::with_sandbox(3_600);
    env.enrol("research");
    let mut daemon = env.start();
    env.token(&daemon, "research");
    let asked = env.sandbox().stats().token_requests;
    for (clusters, verdict, says) in [
        ("2.24.1,2.20.0,10.0,v3.1", "ok", "none of 4 is below 2.20"),
        ("none", "ok", "none of 0"),
        ("null,absent,2.24.1", "ok", "2 without a known version"),
        ("2.24.1,2.9.9", "warn", "below it: sandbox-2 (2.9.9)"),
        (
            "2.19.30,null,1.99",
            "warn",
            "sandbox (2.19.30), sandbox-3 (1.99)",
        ),
    ] {
        set(&env, &format!("clusters:{clusters}"));
        let (code, findings) = doctor(&env, &[]);
        assert_eq!(code, 0, "{findings:#?}");
        assert_about(&findings, "clusters", verdict, says);
        let checked = check(&env, &[]);
        let out = match verdict {
            "ok" => &checked.stdout,
            _ => &checked.stderr,
        };
        assert!(
            out.contains("research: ") && out.contains(says),
            "{says}: {checked:?}"
        );
    }
    assert_eq!(env.sandbox().stats().token_requests, asked);
    env.stop(&mut daemon);
}

#[test]
fn the_minimal_list_of_clusters_is_enough() {
    let mut env = TestEnv::new();
    env.add_sandbox_that(Line::V3_0, 3_600, |_| {});
    env.enrol("research");
    let mut daemon = env.start();
    env.token(&daemon, "research");
    for status in [403, 404] {
        set(&env, &format!("clusters:{status}"));
        let (code, findings) = doctor(&env, &[]);
        assert_eq!(code, 0, "{findings:#?}");
        assert_about(&findings, "clusters", "skip", "cannot tell");
        let checked = check(&env, &[]);
        assert!(
            checked.stdout.contains("research: clusters: cannot tell"),
            "{checked:?}"
        );
    }
    // A practitioner only sees the minimal view of clusters.
    set(&env, "clusters:2.9.1");
    set(&env, "access-rules:user=practitioner");
    let (_, findings) = doctor(&env, &[]);
    assert_about(&findings, "clusters", "warn", "sandbox (2.9.1)");
    env.stop(&mut daemon);
}

#[test]
fn a_failed_cluster_query_is_reported_and_does_not_fail_doctor() {
    let env = TestEnv::with_sandbox(3_600);
    env.enrol("research");
    let mut daemon = env.start();
    env.token(&daemon, "research");
    for (fault, says) in [
        ("reads:hang-headers", "within 5s"),
        ("reads:status:503", "(503)"),
        ("reads:reset", "cannot tell"),
        ("reads:answer:200:{}", "a list of clusters"),
    ] {
        env.fault(fault);
        let begun = Instant::now();
        let (code, findings) = doctor(&env, &[]);
        assert!(begun.elapsed().as_secs() < 30, "{fault}");
        assert_eq!(code, 0, "{fault}: {findings:#?}");
        assert_about(&findings, "clusters", "skip", says);
        let checked = check(&env, &[]);
        assert!(checked.stdout.contains(says), "{fault}: {checked:?}");
    }
    env.stop(&mut daemon);
}

#[test]
fn clusters_are_not_queried_unless_a_daemon_holds_a_token() {
    let env = TestEnv::with_sandbox(3_600);
    env.enrol("research");
    let (_, findings) = doctor(&env, &[]);
    assert_about(&findings, "clusters", "skip", "not tried");
    let checked = check(&env, &[]);
    assert!(
        checked.stdout.contains("no daemon is running at ")
            && checked.stdout.contains("were not checked"),
        "{checked:?}"
    );
    env.fault("status:503");
    let mut daemon = env.start();
    let asked = || env.sandbox().requests().len();
    daemon.wait_for_log("503");
    let (_, findings) = doctor(&env, &[]);
    assert_about(&findings, "clusters", "skip", "holds no token");
    let checked = check(&env, &[]);
    assert!(checked.stdout.contains("holds no token"), "{checked:?}");
    env.stop(&mut daemon);
    assert!(asked() > 0);
}

#[test]
fn the_held_token_is_sent_only_to_the_bound_address() {
    let mut env = TestEnv::with_sandbox(3_600);
    env.enrol("research");
    let other = env.add_sandbox(Line::V2_24, 3_600);
    let mut daemon = env.start();
    env.token(&daemon, "research");
    let config = std::fs::read_to_string(env.config()).unwrap();
    let elsewhere = config.replace(&env.sandbox().url(), &env.sandboxes()[other].url());
    std::fs::write(env.config(), &elsewhere).unwrap();
    let (code, findings) = doctor(&env, &[]);
    assert_eq!(code, 1, "{findings:#?}");
    assert_about(
        &findings,
        "clusters",
        "skip",
        "were not checked: no credential can be used",
    );
    assert_eq!(env.jetond(&["check"]).code, 78);
    std::fs::write(env.config(), &config).unwrap();
    // Another configuration or another state, which belongs to a daemon that is not running.
    let copy = env.path("home/other.toml");
    std::fs::copy(env.config(), &copy).unwrap();
    for (args, verdict) in [
        (["--config", copy.to_str().unwrap()], "skip"),
        (["--state", "/nonexistent"], "skip"),
        (["--config", env.config().to_str().unwrap()], "ok"),
        (["--state", env.path("state/jeton").to_str().unwrap()], "ok"),
    ] {
        let (_, findings) = doctor(&env, &args);
        let says = if verdict == "ok" {
            "2.20"
        } else {
            "were not checked"
        };
        assert_about(&findings, "clusters", verdict, says);
    }
    let seen = env.sandboxes()[other].requests();
    assert!(
        seen.iter().all(|seen| !seen.path.contains("clusters")),
        "{seen:?}"
    );
    env.stop(&mut daemon);
}
