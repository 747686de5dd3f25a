//! What commands say and do about a rotation that is open, and what is left after one.
#![cfg(target_os = "linux")]

use std::fs;

use jetond::sandbox::{Line, Setting};

use crate::app;
use crate::support::TestEnv;
use crate::support::daemon::wait_until;

fn set(env: &TestEnv, setting: &str) {
    env.sandbox().set(setting.parse::<Setting>().unwrap());
}

/// A profile with a key of its own beside `research`.
fn make(env: &TestEnv, key: &str, profile: &str) {
    let made = env.jetond(&["app", "create", key, "research", "--enrol", profile]);
    assert_eq!(made.code, 0, "{made:?}");
}

#[test]
fn finish_deletes_the_old_key_at_once_if_the_server_reports_no_logins() {
    // Two lifetimes are longer than any test waits.
    let (env, daemon) = app::started(Line::V2_24, 3_600);
    set(&env, "last-login:null");
    make(&env, "batch-jobs", "batch");
    assert_eq!(env.jeton(&["rotate", "batch"]).code, 0);
    assert!(app::key(&env, "batch-jobs").is_some());
    let finished = env.jeton(&["rotate", "batch", "--finish"]);
    assert_eq!(finished.code, 0, "{finished:?}");
    assert!(app::key(&env, "batch-jobs").is_none());
    assert_eq!(env.jeton(&["refresh", "batch"]).code, 0);
    app::end(env, daemon);
}

#[test]
fn an_old_key_that_cannot_be_deleted_is_reported_until_it_is_gone() {
    let (env, daemon) = app::started(Line::V2_24, 3_600);
    set(&env, "last-login:null");
    make(&env, "batch-jobs", "batch");
    assert_eq!(env.jeton(&["rotate", "batch"]).code, 0);
    set(&env, "own-keys:read-only");
    let finished = env.jeton(&["rotate", "batch", "--finish"]);
    assert_eq!(finished.code, 0, "{finished:?}");
    assert!(finished.stdout.contains("(old_key_left)"), "{finished:?}");

    let status = env.get(&daemon, "/v1/profiles/batch").json();
    assert_eq!(status["key"]["left_keys"][0], "batch-jobs", "{status}");
    let shown = env.jeton(&["status", "batch"]);
    assert!(
        shown.stdout.contains("batch-jobs (old_key_left)"),
        "{shown:?}"
    );
    let checked = env.jetond(&["check"]);
    assert!(
        checked.stderr.contains("(old_key_left): batch-jobs"),
        "{checked:?}"
    );

    set(&env, "own-keys:allowed");
    let deleted = env.jetond(&["app", "delete", "batch-jobs", "batch", "--yes"]);
    assert_eq!(deleted.code, 0, "{deleted:?}");
    let checked = env.jetond(&["check"]);
    assert_eq!(
        (checked.code, checked.stderr.as_str()),
        (0, ""),
        "{checked:?}"
    );
    assert_eq!(env.jeton(&["reload"]).code, 0);
    wait_until("the daemon knows that it is gone", || {
        let status = env.get(&daemon, "/v1/profiles/batch").json();
        status["key"]["left_keys"].is_null()
    });
    app::end(env, daemon);
}

#[test]
fn commands_that_conflict_with_an_open_rotation_are_refused_or_warn() {
    let (env, daemon) = app::started(Line::V2_24, 3_600);
    make(&env, "batch-jobs", "batch");
    let rotated = env.jeton(&["rotate", "batch", "--with", "research"]);
    assert_eq!(rotated.code, 0, "{rotated:?}");

    // The profile whose token manages the keys stays.
    let refused = env.jetond(&["remove", "research", "--yes"]);
    assert_eq!(refused.code, 75, "{refused:?}");
    assert!(
        refused.stderr.contains("the rotation of the key of batch"),
        "{refused:?}"
    );
    assert!(
        refused.stderr.contains("jeton rotate batch --with PROFILE"),
        "{refused:?}"
    );

    // The old key is the rotation's.
    let refused = env.jetond(&["app", "delete", "batch-jobs", "research", "--yes"]);
    assert_eq!(refused.code, 78, "{refused:?}");
    assert!(
        refused.stderr.contains("the key of batch is being rotated"),
        "{refused:?}"
    );
    let forced = env.jetond(&[
        "app",
        "delete",
        "batch-jobs",
        "research",
        "--yes",
        "--force",
    ]);
    assert_eq!(forced.code, 0, "{forced:?}");
    assert!(!forced.stderr.contains("no key that works"), "{forced:?}");

    // Another credential ends it.
    let (url, secret) = (env.sandbox().url(), env.secret_file());
    let secret = secret.to_str().unwrap();
    let rebound = env.jetond(&[
        "add",
        "batch",
        "--rebind",
        "--client-id",
        "test-client",
        "--client-secret-file",
        secret,
    ]);
    assert_eq!(rebound.code, 0, "{url}: {rebound:?}");
    assert!(
        rebound
            .stderr
            .contains("a rotation of the key of batch was under way"),
        "{rebound:?}"
    );
    let nothing = env.jeton(&["rotate", "research", "--take-over"]);
    assert_eq!(nothing.code, 78, "{nothing:?}");
    assert!(
        nothing.stderr.contains("nothing to take over"),
        "{nothing:?}"
    );
    app::end(env, daemon);
}

#[test]
fn a_key_is_rotated_at_the_age_that_the_issuers_clock_gives() {
    let (env, daemon) = app::started(Line::V2_24, 60);
    make(&env, "batch-jobs", "batch");
    // Forty days later, by the clock that tells the age.
    set(&env, &format!("clock:{}", 40 * 86_400));
    assert_eq!(env.jeton(&["refresh", "batch"]).code, 0);
    let config = fs::read_to_string(env.config()).unwrap();
    let section = "[profiles.batch]\n";
    assert!(config.contains(section), "{config}");
    let by_age = config.replace(section, "[profiles.batch]\nrotate-every = \"30d\"\n");
    fs::write(env.config(), by_age).unwrap();
    let reloaded = env.jeton(&["reload"]);
    assert_eq!(reloaded.code, 0, "{reloaded:?}");
    wait_until("a second key", || {
        let keys = env.sandbox().applications();
        keys.iter().any(|key| key.name.starts_with("jeton-batch-"))
    });
    wait_until("the switch", || {
        let status = env.get(&daemon, "/v1/profiles/batch").json();
        status["rotation"]["switched"] == true
    });
    // Research is as old, and nothing says that it is rotated.
    let keys = env.sandbox().applications();
    assert_eq!(keys.len(), 3, "{keys:?}");
    app::end(env, daemon);
}
