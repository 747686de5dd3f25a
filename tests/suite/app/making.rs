//! Creating keys.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;

use jetond::sandbox::{Line, Setting};
use serde_json::{Value, json};

use super::{call, end, journal, key, started};
use crate::support::TestEnv;

#[test]
fn create_with_enrol_makes_a_working_profile_on_every_server_line() {
    for line in Line::ALL {
        let (env, daemon) = started(line, 600);
        let kind: &[&str] = match line {
            Line::V2_18 => &["--kind", "application"],
            _ => &[],
        };
        let made = env.jetond(&[&["app", "create", "new-key", "--enrol", "new"], kind].concat());
        assert_eq!(made.code, 0, "{line}: {made:?}");
        assert!(
            made.stdout.contains("the running daemon has read it"),
            "{line}: {made:?}"
        );
        assert_eq!(journal(&env), "", "{line}");
        let token = env.token(&daemon, "new");
        assert!(env.sandbox().issued().contains(&token), "{line}");
        let made = key(&env, "new-key").unwrap();
        assert!(made.last_login.is_some(), "{line}");
        let record: Value = serde_json::from_slice(&fs::read(env.record("new")).unwrap()).unwrap();
        assert_eq!(record["key_id"], *made.id, "{line}");
        assert_eq!(record["client_id"], *made.client_id, "{line}");
        let checked = env.jetond(&["check"]);
        assert_eq!(checked.code, 0, "{line}: {checked:?}");
        end(env, daemon);
    }
}

#[test]
fn create_writes_the_secret_only_to_a_new_private_file() {
    let (env, daemon) = started(Line::V2_24, 600);
    let path = env.path("secret");
    let file = path.to_str().unwrap();
    let there = env.jetond(&["app", "create", "new-key", "--secret-file", file]);
    assert_eq!(there.code, 78, "{there:?}");
    assert!(key(&env, "new-key").is_none());
    fs::remove_file(&path).unwrap();
    let made = env.jetond(&[
        "app",
        "create",
        "new-key",
        "research",
        "--secret-file",
        file,
    ]);
    assert_eq!(made.code, 0, "{made:?}");
    assert!(
        made.stderr.contains("1 of 20 access keys are used"),
        "{made:?}"
    );
    assert_eq!(path.metadata().unwrap().permissions().mode() & 0o777, 0o600);
    let secret = fs::read_to_string(&path).unwrap();
    assert_eq!(env.sandbox().secrets(), [secret.trim_end()]);
    assert_eq!(journal(&env), "");
    end(env, daemon);
}

#[test]
fn a_creation_that_cannot_succeed_is_refused_before_the_call() {
    let (env, daemon) = started(Line::V2_24, 600);
    let long = "a".repeat(1_024);
    for name in ["A", "a", "1a", "a-", "a b", "a\x1b[31mb", "ключ", &long] {
        let refused = env.jetond(&["app", "create", name, "--enrol", "new"]);
        assert_eq!(refused.code, 64, "{name:?}: {refused:?}");
        assert!(
            refused.stderr.contains("a name has at"),
            "{name:?}: {refused:?}"
        );
    }
    let nowhere = env.jetond(&["app", "create", "new-key"]);
    assert_eq!(nowhere.code, 64, "{nowhere:?}");
    let taken = env.jetond(&["app", "create", "first-key", "--enrol", "new"]);
    assert_eq!(taken.code, 1, "{taken:?}");
    assert!(taken.stderr.contains("choose another name"), "{taken:?}");
    let ours = env.jetond(&["app", "create", "new-key", "--enrol", "research"]);
    assert_eq!(ours.code, 78, "{ours:?}");
    assert_eq!(env.sandbox().applications().len(), 1);
    assert_eq!(journal(&env), "");
    end(env, daemon);
}

#[test]
fn at_the_limit_of_20_keys_create_sends_nothing_and_names_candidates() {
    let (env, daemon) = started(Line::V2_24, 600);
    for n in 1..20 {
        let body = json!({"name": format!("key-{n}")}).to_string();
        assert_eq!(
            call(&env, &daemon, "POST", "/api/v1/access-keys", &body),
            201
        );
    }
    let full = env.jetond(&["app", "create", "new-key", "--enrol", "new"]);
    assert_eq!(full.code, 1, "{full:?}");
    for says in [
        "nothing is made",
        "at most 20",
        "app delete",
        "--anyway",
        "used by research",
    ] {
        assert!(full.stderr.contains(says), "{says}: {full:?}");
    }
    let anyway = env.jetond(&["app", "create", "new-key", "--enrol", "new", "--anyway"]);
    assert_eq!(anyway.code, 1, "{anyway:?}");
    assert!(anyway.stderr.contains("(400)"), "{anyway:?}");
    assert!(key(&env, "new-key").is_none() && !env.record("new").exists());
    assert_eq!(journal(&env), "");
    end(env, daemon);
}

#[test]
fn a_key_whose_secret_cannot_be_stored_is_deleted_by_id() {
    let (env, daemon) = started(Line::V2_24, 600);
    // No token can be obtained with the new key, so the new secret stays unproven.
    env.token(&daemon, "research");
    env.fault("invalid-client");
    let failed = env.jetond(&["app", "create", "new-key", "--enrol", "new"]);
    env.fault("none");
    assert_eq!(failed.code, 1, "{failed:?}");
    assert!(failed.stderr.contains("is deleted again"), "{failed:?}");
    assert!(key(&env, "new-key").is_none());
    assert!(!env.record("new").exists());
    assert!(
        !fs::read_to_string(env.config())
            .unwrap()
            .contains("[profiles.new]")
    );
    assert_eq!(journal(&env), "");
    end(env, daemon);
}

#[test]
fn a_new_profile_inherits_the_certificates_of_the_creating_profile() {
    let mut env = TestEnv::new();
    let sandbox = env.add_sandbox_that(Line::V2_24, 600, |options| options.tls = true);
    let ca = env.ca_file(sandbox).unwrap();
    let url = env.sandbox().url();
    let added = env.try_enrol_with("research", &url, &["--ca-file", &ca]);
    assert_eq!(added.code, 0, "{added:?}");
    let daemon = env.start();
    let made = env.jetond(&["app", "create", "new-key", "--enrol", "new"]);
    assert_eq!(made.code, 0, "{made:?}");
    let config = fs::read_to_string(env.config()).unwrap();
    let (_, new) = config.split_once("[profiles.new]").unwrap();
    for says in ["provider = \"runai\"", &url, &ca] {
        assert!(new.contains(says), "{says}: {config}");
    }
    let record = |name: &str| -> Value {
        serde_json::from_slice(&fs::read(env.record(name)).unwrap()).unwrap()
    };
    for part in ["ca", "proxy", "origin"] {
        assert_eq!(record("new")[part], record("research")[part], "{part}");
    }
    let token = env.token(&daemon, "new");
    assert!(env.sandbox().issued().contains(&token));
    end(env, daemon);
}

#[test]
fn create_reports_the_number_of_keys_and_old_clusters_first() {
    let (env, daemon) = started(Line::V2_24, 600);
    for (n, setting, says) in [
        (1, "clusters:2.24.1,2.9,null", "below it:"),
        (
            2,
            "clusters:403",
            "cannot tell whether every cluster is at 2.20 or later",
        ),
        (
            3,
            "clusters:404",
            "cannot tell whether every cluster is at 2.20 or later",
        ),
    ] {
        env.sandbox().set(Setting::parse(setting).unwrap());
        let name = format!("new-{n}");
        let made = env.jetond(&["app", "create", &name, "research", "--enrol", &name]);
        assert_eq!(made.code, 0, "{made:?}");
        assert!(made.stderr.contains(says), "{setting}: {made:?}");
        let used = format!("{n} of 20 access keys are used");
        assert!(made.stderr.contains(&used), "{setting}: {made:?}");
    }
    end(env, daemon);
}
