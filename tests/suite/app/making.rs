//! Making keys.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;

use jetond::sandbox::Line;
use serde_json::{Value, json};

use super::{call, end, journal, key, place};

#[test]
fn one_command_makes_a_profile_that_works_on_every_line() {
    for line in Line::ALL {
        let (env, daemon) = place(line, 600);
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
fn a_secret_goes_into_a_new_file_of_ours_alone() {
    let (env, daemon) = place(Line::V2_24, 600);
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
fn what_surely_fails_is_refused_before_the_call() {
    let (env, daemon) = place(Line::V2_24, 600);
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
fn at_20_keys_nothing_is_sent_and_it_is_said_which_could_go() {
    let (env, daemon) = place(Line::V2_24, 600);
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
fn where_the_secret_cannot_be_kept_the_key_is_deleted_by_its_id() {
    let (env, daemon) = place(Line::V2_24, 600);
    // No token can be got with the new key, so nothing proves it.
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
