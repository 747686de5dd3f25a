//! Invalid names, unexpected answers, and keys that do not exist.

use std::fs;

use jetond::sandbox::{Line, Setting};

use super::{call, end, fault_for, journal, key, started};

/// Asserts that an invalid name is answered with the rule for names and that no request is sent.
fn assert_the_rule_is_said(names: &[&str]) {
    let (env, daemon) = started(Line::V2_24, 600);
    for name in names {
        let refused = env.jetond(&["app", "create", name, "--enrol", "new"]);
        assert_eq!(refused.code, 64, "{name:?}: {refused:?}");
        assert!(
            refused.stderr.contains("begins with a lowercase letter"),
            "{name:?}: {refused:?}"
        );
        //     The message repeats no character of the value other than the `…` that stands for it.
        let shown = refused.stderr.replace('…', "");
        let shown = shown
            .bytes()
            .all(|b| b == b'\n' || (b' '..=b'~').contains(&b));
        assert!(shown, "{name:?}: {refused:?}");
    }
    assert_eq!(env.sandbox().stats().resource_ok, 0);
    end(env, daemon);
}

#[test]
fn an_invalid_name_gets_the_rule_for_names() {
    assert_the_rule_is_said(&[
        "", "a", "A1", "1a", "_a1", "a-", "a_", "a b", "a.b", "ab/..",
    ]);
}

#[test]
fn a_name_of_a_kibibyte_is_refused() {
    let (env, daemon) = started(Line::V2_24, 600);
    let refused = env.jetond(&["app", "create", &"a".repeat(1_024), "--enrol", "new"]);
    assert_eq!(refused.code, 64, "{refused:?}");
    assert!(
        refused.stderr.contains("at most 255 characters"),
        "{refused:?}"
    );
    assert!(refused.stderr.len() < 600, "{refused:?}");
    end(env, daemon);
}

#[test]
fn a_name_with_control_bytes_gets_the_rule_and_is_not_repeated() {
    assert_the_rule_is_said(&["a\x1b[31mb", "ab\n", "a\rb", "a\x07b", "a\u{9b}b"]);
}

#[test]
fn a_name_in_another_script_gets_the_rule_and_is_not_repeated() {
    assert_the_rule_is_said(&["ключ", "密钥", "aб", "مفتاح", "clé"]);
}

#[test]
fn the_id_of_another_users_key_is_refused() {
    let (env, daemon) = started(Line::V2_24, 3_600);
    env.sandbox().set(Setting::parse("other-keys:3").unwrap());
    let all = env.jetond(&["app", "list", "--all", "--json"]);
    let all: serde_json::Value = serde_json::from_str(&all.stdout).unwrap();
    let other = all["keys"]
        .as_array()
        .unwrap()
        .iter()
        .find(|key| key["name"] != "first-key");
    let id = other.unwrap()["id"].as_str().unwrap();
    let path = env.path("another").to_str().unwrap().to_owned();
    for args in [
        &["app", "show", id][..],
        &["app", "delete", id, "--yes"],
        &["app", "regenerate", id, "--yes", "--secret-file", &path],
    ] {
        let refused = env.jetond(args);
        assert_eq!(refused.code, 1, "{refused:?}");
        assert!(
            refused
                .stderr
                .contains("there is no access key of this name"),
            "{refused:?}"
        );
    }
    let stats = env.sandbox().stats();
    assert_eq!((stats.keys_deleted, stats.keys_regenerated), (0, 0));
    assert!(!env.path("another").exists());
    let shown = env.jetond(&["app", "show", id, "--all"]);
    assert_eq!(shown.code, 0, "{shown:?}");
    end(env, daemon);
}

#[test]
fn two_keys_of_one_name_are_refused_with_the_ids_of_both() {
    let (env, daemon) = started(Line::V2_24, 600);
    env.sandbox().set(Setting::parse("other-keys:60").unwrap());
    let all = env.jetond(&["app", "list", "--all", "--json"]);
    let all: serde_json::Value = serde_json::from_str(&all.stdout).unwrap();
    let keys = all["keys"].as_array().unwrap();
    let name = keys.last().unwrap()["name"].as_str().unwrap();
    let ids: Vec<_> = keys
        .iter()
        .filter(|key| key["name"] == name)
        .map(|key| key["id"].as_str().unwrap())
        .collect();
    assert!(ids.len() > 1, "{all}");
    for args in [
        &["app", "delete", name, "--all", "--yes"][..],
        &["app", "show", name, "--all"],
    ] {
        let refused = env.jetond(args);
        assert_eq!(refused.code, 64, "{refused:?}");
        for id in &ids {
            assert!(refused.stderr.contains(id), "{id}: {refused:?}");
        }
    }
    assert_eq!(env.sandbox().stats().keys_deleted, 0);
    let deleted = env.jetond(&["app", "delete", ids[1], "--all", "--yes"]);
    assert_eq!(deleted.code, 0, "{deleted:?}");
    assert_eq!(env.sandbox().stats().keys_deleted, 1);
    end(env, daemon);
}

#[test]
fn a_key_is_not_deleted_by_name_from_a_truncated_list() {
    let (env, daemon) = started(Line::V2_24, 600);
    let body = r#"{"name":"only-key"}"#;
    assert_eq!(
        call(&env, &daemon, "POST", "/api/v1/access-keys", body),
        201
    );
    env.sandbox().set(Setting::parse("other-keys:300").unwrap());
    let refused = env.jetond(&["app", "delete", "only-key", "--all", "--yes"]);
    assert_eq!(refused.code, 64, "{refused:?}");
    let only = key(&env, "only-key").unwrap();
    for says in ["first 100", &only.client_id, &only.id] {
        assert!(refused.stderr.contains(says), "{says}: {refused:?}");
    }
    let unknown = env.jetond(&["app", "delete", "no-such-key", "--all", "--yes"]);
    assert_eq!(unknown.code, 1, "{unknown:?}");
    assert!(unknown.stderr.contains("give its client ID"), "{unknown:?}");
    let deleted = env.jetond(&["app", "delete", &only.client_id, "--all", "--yes"]);
    assert_eq!(deleted.code, 0, "{deleted:?}");
    assert!(key(&env, "only-key").is_none());
    end(env, daemon);
}

#[test]
fn a_list_of_ten_thousand_keys_is_listed_and_searched() {
    let (env, daemon) = started(Line::V2_24, 600);
    let item = |n: u32| {
        format!(
            r#"{{"id":"{n:036}","name":"key-{n}","clientId":"c{n:036}","createdAt":"2025-01-02T03:04:05Z","lastLogin":null}}"#
        )
    };
    let items: Vec<_> = (0..10_000).map(item).collect();
    let answer = format!(r#"reads:answer:200:{{"accessKeys":[{}]}}"#, items.join(","));
    env.fault(&answer);
    let listed = env.jetond(&["app", "list", "--all"]);
    assert_eq!(listed.code, 0, "{:.500}", listed.stderr);
    let (lines, last) = (listed.stdout.lines().count(), listed.stdout.lines().last());
    assert_eq!(lines, 10_002);
    assert!(last.unwrap().starts_with("10000 access keys"), "{last:?}");
    let shown = env.jetond(&["app", "show", "key-9999"]);
    assert_eq!(shown.code, 0, "{:.500}", shown.stderr);
    end(env, daemon);
}

#[test]
fn a_list_that_is_an_object_null_or_html_changes_nothing() {
    let (env, daemon) = started(Line::V2_24, 3_600);
    env.token(&daemon, "research");
    let path = env.path("another").to_str().unwrap().to_owned();
    for fault in [
        "reads:answer:200:{}",
        "reads:answer:200:{\"accessKeys\":{}}",
        "reads:answer:200:{\"accessKeys\":null}",
        "reads:answer:200:null",
        "reads:answer:200:[]",
        "reads:html",
        "reads:garbage",
        "reads:empty",
        "reads:truncated",
    ] {
        env.fault(fault);
        for args in [
            &["app", "list"][..],
            &["app", "show", "first-key"],
            &["app", "create", "new-key", "--secret-file", &path],
            &["app", "regenerate", "first-key", "--yes"],
            &["app", "delete", "first-key", "--yes", "--force"],
        ] {
            let refused = env.jetond(args);
            assert!([1, 75, 78].contains(&refused.code), "{fault}: {refused:?}");
            assert_eq!(refused.stdout, "", "{fault}: {refused:?}");
        }
        let stats = env.sandbox().stats();
        assert_eq!(
            (
                stats.keys_created,
                stats.keys_regenerated,
                stats.keys_deleted
            ),
            (0, 0, 0),
            "{fault}"
        );
        assert!(!env.path("another").exists(), "{fault}");
    }
    env.fault("none");
    assert_eq!(journal(&env), "");
    end(env, daemon);
}

#[test]
fn a_created_key_without_a_secret_is_deleted() {
    for fault in ["secret:missing", "secret:empty", "secret:null"] {
        let (env, daemon) = started(Line::V2_24, 600);
        env.token(&daemon, "research");
        // Also on a server that does not report logins: the answer to the creation has the ID.
        env.sandbox()
            .set(Setting::parse("last-login:null").unwrap());
        fault_for(&env, fault, 1);
        let path = env.path("another");
        let args = [
            "app",
            "create",
            "new-key",
            "--secret-file",
            path.to_str().unwrap(),
        ];
        let failed = env.jetond(&args);
        assert_eq!(failed.code, 78, "{fault}: {failed:?}");
        assert!(
            failed
                .stderr
                .contains("without its ID, its client ID or its secret"),
            "{fault}: {failed:?}"
        );
        assert!(
            failed.stderr.contains("is deleted again"),
            "{fault}: {failed:?}"
        );
        assert!(key(&env, "new-key").is_none() && !path.exists(), "{fault}");
        assert_eq!(journal(&env), "", "{fault}");
        end(env, daemon);
    }
}

#[test]
fn a_second_regeneration_repairs_an_answer_without_a_secret() {
    let (env, daemon) = started(Line::V2_24, 3_600);
    let body = r#"{"name":"other-key"}"#;
    let path = "/api/v1/access-keys";
    assert_eq!(call(&env, &daemon, "POST", path, body), 201);
    fault_for(&env, "secret:empty", 1);
    let path = env.path("another");
    let file = path.to_str().unwrap();
    let args = ["app", "regenerate", "other-key", "--yes", "--secret-file"];
    let renewed = env.jetond(&[&args[..], &[file]].concat());
    assert_eq!(renewed.code, 0, "{renewed:?}");
    assert_eq!(env.sandbox().stats().keys_regenerated, 2);
    fs::remove_file(&path).unwrap();
    end(env, daemon);
}

#[test]
fn a_token_that_expires_before_the_create_call_creates_no_key() {
    let (env, daemon) = started(Line::V2_24, 2);
    // Reading the keys and then the clusters takes longer than the token's lifetime.
    env.fault("reads:slow:1.5");
    let failed = env.jetond(&["app", "create", "new-key", "--enrol", "new"]);
    env.fault("none");
    assert_eq!(failed.code, 1, "{failed:?}");
    assert!(
        failed.stderr.contains("nothing is made") && failed.stderr.contains("(401)"),
        "{failed:?}"
    );
    assert!(key(&env, "new-key").is_none() && !env.record("new").exists());
    assert_eq!(journal(&env), "");
    end(env, daemon);
}

#[test]
fn commands_report_that_the_profiles_own_key_was_deleted() {
    let (env, daemon) = started(Line::V2_24, 3_600);
    let id = key(&env, "first-key").unwrap().id;
    let path = format!("/api/v1/access-keys/{id}");
    assert_eq!(call(&env, &daemon, "DELETE", &path, ""), 204);
    let gone = env.jetond(&["app", "regenerate", "test-client", "--yes"]);
    assert_eq!(gone.code, 1, "{gone:?}");
    assert!(
        gone.stderr.contains("there is no access key of this name"),
        "{gone:?}"
    );
    let deleted = env.jetond(&["app", "delete", &id, "--yes"]);
    assert_eq!(deleted.code, 1, "{deleted:?}");
    // On a server that revokes the tokens of a deleted key.
    env.sandbox().revoke_all();
    let refused = env.jetond(&["app", "list"]);
    assert_eq!(refused.code, 1, "{refused:?}");
    for says in ["(401)", "its key is deleted"] {
        assert!(refused.stderr.contains(says), "{says}: {refused:?}");
    }
    assert!(fs::exists(env.record("research")).unwrap());
    end(env, daemon);
}

#[test]
fn a_kind_that_the_server_line_lacks_is_refused_with_the_kind_to_use() {
    for (line, kind, says) in [
        (Line::V2_18, "auto", "--kind application"),
        (Line::V2_18, "access-key", "--kind user-application"),
        (Line::V2_20, "access-key", "--kind user-application"),
        (Line::V2_20, "service-account", "--kind application"),
        (Line::V3_0, "user-application", "--kind access-key"),
        (Line::V3_0, "application", "--kind service-account"),
    ] {
        let (env, daemon) = started(line, 600);
        for command in ["list", "create"] {
            let args: &[&str] = match command {
                "create" => &["app", "create", "new-key", "--enrol", "new", "--kind", kind],
                _ => &["app", "list", "--kind", kind],
            };
            let refused = env.jetond(args);
            assert_eq!(refused.code, 78, "{line} {kind}: {refused:?}");
            assert!(refused.stderr.contains(says), "{line} {kind}: {refused:?}");
        }
        assert_eq!(env.sandbox().stats().keys_created, 0);
        end(env, daemon);
    }
}
