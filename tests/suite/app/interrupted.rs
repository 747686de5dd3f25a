//! Recovery after commands that were interrupted.

use std::fs;

use jetond::sandbox::{Line, Setting};
use serde_json::{Value, json};

use super::{call, end, fault_for, journal, key, started, write_journal};
use crate::support::{TestEnv, unix_now};

/// Returns the journal entry of an unfinished creation of a key with a new profile `new`.
fn creation(name: &str, known: &[&str]) -> Value {
    json!({"creations": [{"name": name, "path": "/api/v1/access-keys", "known": known, "at": unix_now(), "enrol": "new", "store": "file", "secret_file": null}]})
}

fn set(env: &TestEnv, setting: &str) {
    env.sandbox().set(Setting::parse(setting).unwrap());
}

#[test]
fn the_next_command_deletes_the_key_of_an_interrupted_creation() {
    let (env, daemon) = started(Line::V2_24, 600);
    let first = key(&env, "first-key").unwrap().id;
    let body = json!({"name": "lost-key"}).to_string();
    assert_eq!(
        call(&env, &daemon, "POST", "/api/v1/access-keys", &body),
        201
    );
    // A key that existed before the call was not created by it.
    let lost = key(&env, "lost-key").unwrap().id;
    write_journal(&env, &creation("lost-key", &[&first, &lost]));
    let listed = env.jetond(&["app", "list"]);
    assert_eq!(listed.code, 0, "{listed:?}");
    assert!(key(&env, "lost-key").is_some());
    // A key that gets tokens is in use.
    write_journal(&env, &creation("first-key", &[]));
    let listed = env.jetond(&["app", "list"]);
    assert_eq!(listed.code, 0, "{listed:?}");
    assert!(key(&env, "first-key").is_some());
    write_journal(&env, &creation("lost-key", &[&first]));
    let listed = env.jetond(&["app", "list"]);
    assert_eq!(listed.code, 0, "{listed:?}");
    assert!(
        listed.stderr.contains("lost-key") && listed.stderr.contains("is deleted"),
        "{listed:?}"
    );
    assert!(key(&env, "lost-key").is_none());
    assert_eq!(journal(&env), "");
    // The server may still execute the call later.
    write_journal(&env, &creation("lost-key", &[&first]));
    for command in [&["app", "list"][..], &["check"]] {
        let told = env.jetond(command);
        assert!(
            told.stderr.contains("every later 'jetond app' command"),
            "{told:?}"
        );
        assert!(journal(&env).contains("lost-key"));
    }
    call(&env, &daemon, "POST", "/api/v1/access-keys", &body);
    let checked = env.jetond(&["check"]);
    assert_eq!(checked.code, 0, "{checked:?}");
    assert!(key(&env, "lost-key").is_none());
    assert_eq!(journal(&env), "");
    end(env, daemon);
}

#[test]
fn another_profiles_command_also_cleans_up_interrupted_creations() {
    let (env, daemon) = started(Line::V2_24, 600);
    env.enrol("other");
    let reloaded = env.jeton(&["reload"]);
    assert_eq!(reloaded.code, 0, "{reloaded:?}");
    let first = key(&env, "first-key").unwrap().id;
    let body = json!({"name": "lost-key"}).to_string();
    assert_eq!(
        call(&env, &daemon, "POST", "/api/v1/access-keys", &body),
        201
    );
    write_journal(&env, &creation("lost-key", &[&first]));
    let listed = env.jetond(&["app", "list", "other"]);
    assert_eq!(listed.code, 0, "{listed:?}");
    assert!(key(&env, "lost-key").is_none(), "{listed:?}");
    end(env, daemon);
}

#[test]
fn a_key_that_may_be_in_use_is_reported_and_kept() {
    let (env, daemon) = started(Line::V2_24, 600);
    let first = key(&env, "first-key").unwrap().id;
    let body = json!({"name": "lost-key"}).to_string();
    assert_eq!(
        call(&env, &daemon, "POST", "/api/v1/access-keys", &body),
        201
    );
    for setting in ["last-login:null", "last-login:after:3600"] {
        set(&env, setting);
        write_journal(&env, &creation("lost-key", &[&first]));
        let listed = env.jetond(&["app", "list"]);
        assert_eq!(listed.code, 0, "{listed:?}");
        assert!(
            listed
                .stderr
                .contains("does not say whether it has been used"),
            "{setting}: {listed:?}"
        );
        assert!(key(&env, "lost-key").is_some(), "{setting}");
        assert!(journal(&env).contains("lost-key"), "{setting}");
    }
    for setting in ["last-login:day", "last-login:skew:-600"] {
        set(&env, setting);
        write_journal(&env, &creation("lost-key", &[&first]));
        let listed = env.jetond(&["app", "list"]);
        assert_eq!(listed.code, 0, "{listed:?}");
        assert!(key(&env, "lost-key").is_none(), "{setting}: {listed:?}");
        call(&env, &daemon, "POST", "/api/v1/access-keys", &body);
    }
    end(env, daemon);
}

#[test]
fn a_key_created_at_another_time_or_with_a_moved_file_is_kept() {
    let (env, daemon) = started(Line::V2_24, 600);
    let first = key(&env, "first-key").unwrap().id;
    let body = json!({"name": "lost-key"}).to_string();
    assert_eq!(
        call(&env, &daemon, "POST", "/api/v1/access-keys", &body),
        201
    );
    let mut then = creation("lost-key", &[&first]);
    then["creations"][0]["at"] = json!(unix_now() - 7_200);
    write_journal(&env, &then);
    let listed = env.jetond(&["app", "list"]);
    assert!(listed.stderr.contains("made at another time"), "{listed:?}");
    let mut moved = creation("lost-key", &[&first]);
    moved["creations"][0]["enrol"] = Value::Null;
    moved["creations"][0]["store"] = Value::Null;
    moved["creations"][0]["secret_file"] = json!(env.path("moved-away"));
    write_journal(&env, &moved);
    let listed = env.jetond(&["app", "list"]);
    assert!(
        listed
            .stderr
            .contains("it is not known whether its secret is stored"),
        "{listed:?}"
    );
    assert!(key(&env, "lost-key").is_some());
    // An empty file contains no secret.
    let path = env.path("moved-away");
    fs::write(&path, "").unwrap();
    let listed = env.jetond(&["app", "list"]);
    assert!(
        key(&env, "lost-key").is_none() && !path.exists(),
        "{listed:?}"
    );
    end(env, daemon);
}

#[test]
fn a_creation_executed_twice_leaves_no_extra_key() {
    let (env, daemon) = started(Line::V2_24, 600);
    fault_for(&env, "twice:last", 1);
    let failed = env.jetond(&["app", "create", "new-key", "--enrol", "new"]);
    assert_eq!(failed.code, 1, "{failed:?}");
    assert!(failed.stderr.contains("app show new-key"), "{failed:?}");
    assert!(
        failed.stderr.contains("(409)") && failed.stderr.contains("twice"),
        "{failed:?}"
    );
    let listed = env.jetond(&["app", "list"]);
    assert_eq!(listed.code, 0, "{listed:?}");
    assert!(key(&env, "new-key").is_none(), "{listed:?}");
    end(env, daemon);
}

#[test]
fn an_answer_with_an_existing_keys_id_deletes_no_key() {
    for secret in ["", "wr0ng"] {
        let (env, daemon) = started(Line::V2_24, 600);
        env.token(&daemon, "research");
        let first = key(&env, "first-key").unwrap().id;
        let answer =
            json!({"id": first, "clientId": "c", "name": "new-key", "clientSecret": secret});
        fault_for(&env, &format!("executed:answer:201:{answer}"), 1);
        let failed = env.jetond(&["app", "create", "new-key", "--enrol", "new"]);
        assert_eq!(failed.code, 78, "{failed:?}");
        assert!(
            failed.stderr.contains("was there before the call") && failed.stderr.contains(&first),
            "{failed:?}"
        );
        let listed = env.jetond(&["app", "list"]);
        assert_eq!(listed.code, 0, "{listed:?}");
        assert_eq!(key(&env, "first-key").unwrap().id, first, "{listed:?}");
        assert!(key(&env, "new-key").is_none(), "{listed:?}");
        end(env, daemon);
    }
}

#[test]
fn a_creation_executed_but_answered_with_an_error_leaves_no_key() {
    for fault in [
        "executed:status:400",
        "executed:status:403",
        "executed:status:404",
        "executed:status:429",
        "executed:rate-limit:1",
    ] {
        let (env, daemon) = started(Line::V2_24, 600);
        env.token(&daemon, "research");
        fault_for(&env, fault, 1);
        let failed = env.jetond(&["app", "create", "new-key", "--enrol", "new"]);
        assert_ne!(failed.code, 0, "{fault}: {failed:?}");
        assert!(
            !failed.stderr.contains("nothing is made"),
            "{fault}: {failed:?}"
        );
        let listed = env.jetond(&["app", "list"]);
        assert_eq!(listed.code, 0, "{fault}: {listed:?}");
        assert!(
            key(&env, "new-key").is_none(),
            "{fault}: {failed:?} {listed:?}"
        );
        end(env, daemon);
    }
}

#[test]
fn a_creation_with_a_lost_answer_leaves_no_key_even_if_executed_late() {
    for fault in [
        "swallow",
        "executed:status:500",
        "executed:html",
        "truncated",
    ] {
        let (env, daemon) = started(Line::V2_24, 600);
        env.token(&daemon, "research");
        let path = env.path("another");
        let fault = if fault == "truncated" {
            "keys:truncated"
        } else {
            fault
        };
        fault_for(&env, fault, 1);
        let args = [
            "app",
            "create",
            "new-key",
            "--secret-file",
            path.to_str().unwrap(),
        ];
        let failed = env.jetond(&args);
        assert_ne!(failed.code, 0, "{fault}: {failed:?}");
        assert!(
            failed.stderr.contains("no secret has arrived"),
            "{fault}: {failed:?}"
        );
        assert!(
            key(&env, "new-key").is_none() && !path.exists(),
            "{fault}: {failed:?}"
        );
        end(env, daemon);
    }
    let (env, daemon) = started(Line::V2_24, 600);
    env.token(&daemon, "research");
    fault_for(&env, "late:1.5", 1);
    let failed = env.jetond(&["app", "create", "new-key", "--enrol", "new"]);
    assert_ne!(failed.code, 0, "{failed:?}");
    crate::support::daemon::wait_until("the late creation of the key", || {
        key(&env, "new-key").is_some()
    });
    let listed = env.jetond(&["app", "list"]);
    assert_eq!(listed.code, 0, "{listed:?}");
    assert!(key(&env, "new-key").is_none(), "{listed:?}");
    end(env, daemon);
}

#[test]
fn every_command_reports_an_interrupted_regeneration_until_it_is_resolved() {
    let (env, daemon) = started(Line::V2_24, 3_600);
    let first = key(&env, "first-key").unwrap();
    let write = |at: u64| {
        write_journal(
            &env,
            &json!({"regenerations": [{"name": "first-key", "key_id": first.id, "client_id": first.client_id, "rejected": null, "path": "/api/v1/access-keys", "at": at, "enrol": "research", "store": "file", "secret_file": null}]}),
        );
    };
    // The server has not executed the call.
    write(unix_now());
    let listed = env.jetond(&["app", "list"]);
    assert_eq!(listed.code, 0, "{listed:?}");
    assert!(
        listed.stderr.contains("works, but the server may execute"),
        "{listed:?}"
    );
    assert!(journal(&env).contains("first-key"));
    write(unix_now() - 4_000);
    let checked = env.jetond(&["check"]);
    assert_eq!(checked.code, 0, "{checked:?}");
    assert_eq!(journal(&env), "");
    // The server has executed the call, and the new secret is lost.
    let path = format!("/api/v1/access-keys/{}/secret", first.id);
    assert_eq!(call(&env, &daemon, "POST", &path, ""), 200);
    write(unix_now() - 4_000);
    for command in [
        &["app", "list"][..],
        &["app", "show", "first-key"],
        &["check"],
    ] {
        let told = env.jetond(command);
        assert_eq!(told.code, 0, "{told:?}");
        for says in [
            "locked out",
            "while the token of research is valid",
            "--rebind",
        ] {
            assert!(told.stderr.contains(says), "{says}: {told:?}");
        }
    }
    let mut daemon = daemon;
    env.stop(&mut daemon);
    let told = env.jetond(&["app", "list"]);
    assert_eq!(told.code, 75, "{told:?}");
    assert!(
        told.stderr
            .contains("may have replaced the secret of the key first-key"),
        "{told:?}"
    );
}

#[test]
fn the_same_command_completes_a_creation_interrupted_after_storing() {
    let (env, daemon) = started(Line::V2_24, 600);
    let first = key(&env, "first-key").unwrap().id;
    let create = ["app", "create", "new-key", "research", "--enrol", "new"];
    let before = fs::read_to_string(env.config()).unwrap();
    let made = env.jetond(&create);
    assert_eq!(made.code, 0, "{made:?}");
    let after = fs::read_to_string(env.config()).unwrap();
    // As if the command had been killed before it wrote the profile.
    fs::write(env.config(), &before).unwrap();
    write_journal(&env, &creation("new-key", &[&first]));
    let id = key(&env, "new-key").unwrap().id;
    for command in [&["app", "list", "research"][..], &["check"]] {
        let told = env.jetond(command);
        assert_eq!(told.code, 0, "{told:?}");
        let says = "jetond app create new-key research --enrol new; or";
        assert!(
            told.stderr.contains(says) && told.stderr.contains(&id),
            "{told:?}"
        );
    }
    assert!(key(&env, "new-key").is_some());
    let finished = env.jetond(&create);
    assert_eq!(finished.code, 0, "{finished:?}");
    assert!(finished.stdout.contains("is finished"), "{finished:?}");
    assert_eq!(fs::read_to_string(env.config()).unwrap(), after);
    assert_eq!(env.sandbox().stats().keys_created, 1);
    assert_eq!(journal(&env), "");
    let token = env.token(&daemon, "new");
    assert!(env.sandbox().issued().contains(&token));
    let again = env.jetond(&create);
    assert_eq!(again.code, 1, "{again:?}");
    end(env, daemon);
}
