//! Regenerating keys.

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt as _;

use jetond::sandbox::{Line, OldTokens};
use serde_json::json;

use super::{call, end, fault_for, journal, key, place, stored_secret};
use crate::support::TestEnv;
use crate::support::daemon::{Daemon, wait_until};
use crate::support::env::Output;

const KEY: &str = "test-client";

#[test]
fn a_new_secret_of_a_key_of_ours_works_at_once_and_its_token_is_served_meanwhile() {
    for line in Line::ALL {
        let (env, daemon) = place(line, 3_600);
        let before = env.token(&daemon, "research");
        let kind: &[&str] = match line {
            Line::V2_18 => &["--kind", "application"],
            _ => &[],
        };
        let renewed = env.jetond(&[&["app", "regenerate", KEY, "--yes"], kind].concat());
        assert_eq!(renewed.code, 0, "{line}: {renewed:?}");
        assert!(
            renewed
                .stdout
                .contains("has a new secret, and research uses it"),
            "{line}: {renewed:?}"
        );
        assert_eq!(journal(&env), "", "{line}");
        let secrets = env.sandbox().secrets();
        assert_eq!(secrets, [stored_secret(&env, "research")], "{line}");
        let served = env.token(&daemon, "research");
        assert!(env.sandbox().issued().contains(&served), "{line}");
        // The daemon serves the old token until it expires. The next one must come from the new secret.
        env.sandbox().revoke_all();
        let refreshed = env.jeton(&["refresh", "research"]);
        assert_eq!(refreshed.code, 0, "{line}: {refreshed:?}");
        assert_ne!(env.token(&daemon, "research"), before, "{line}");
        // On line 2.18 the first request of each command goes to a path that the server does not know.
        if line != Line::V2_18 {
            assert_eq!(env.sandbox().stats().rejected, 0, "{line}");
        }
        end(env, daemon);
    }
}

#[test]
fn an_answer_with_a_secret_that_is_dead_already_is_made_good_by_a_second_call() {
    let (env, daemon) = place(Line::V2_24, 3_600);
    fault_for(&env, "twice:first", 1);
    let renewed = env.jetond(&["app", "regenerate", KEY, "--yes"]);
    assert_eq!(renewed.code, 0, "{renewed:?}");
    assert!(
        renewed.stderr.contains("no token with the new secret"),
        "{renewed:?}"
    );
    assert_eq!(env.sandbox().stats().keys_regenerated, 3);
    let last = env.sandbox().secrets().pop().unwrap();
    assert_eq!(stored_secret(&env, "research"), last);
    assert_eq!(journal(&env), "");
    end(env, daemon);
}

#[test]
fn a_lost_answer_is_made_good_by_a_second_call_and_a_late_execution_is_looked_for() {
    let (env, daemon) = place(Line::V2_24, 3_600);
    fault_for(&env, "swallow", 1);
    let renewed = env.jetond(&["app", "regenerate", KEY, "--yes"]);
    assert_eq!(renewed.code, 0, "{renewed:?}");
    assert!(
        renewed
            .stderr
            .contains("every 'jetond app' command of the next hour"),
        "{renewed:?}"
    );
    let last = env.sandbox().secrets().pop().unwrap();
    assert_eq!(stored_secret(&env, "research"), last);
    let listed = env.jetond(&["app", "list"]);
    assert!(
        listed.stderr.contains("the secret that research has works"),
        "{listed:?}"
    );
    // The server executes the first call now.
    let id = key(&env, "first-key").unwrap().id;
    let path = format!("/api/v1/access-keys/{id}/secret");
    assert_eq!(call(&env, &daemon, "POST", &path, ""), 200);
    for command in [&["app", "list"][..], &["check"]] {
        let told = env.jetond(command);
        assert_eq!(told.code, 0, "{told:?}");
        assert!(
            told.stderr.contains("is revoked: the key is locked out"),
            "{told:?}"
        );
    }
    // A revoked secret is sent once, not by every command.
    let rejected = env.sandbox().stats().rejected;
    let told = env.jetond(&["app", "list"]);
    assert!(
        told.stderr.contains("is revoked: the key is locked out"),
        "{told:?}"
    );
    assert_eq!(env.sandbox().stats().rejected, rejected);
    let renewed = env.jetond(&["app", "regenerate", KEY, "--yes"]);
    assert_eq!(renewed.code, 0, "{renewed:?}");
    assert_eq!(journal(&env), "");
    end(env, daemon);
}

#[test]
fn a_key_is_regenerated_at_most_twice_and_then_it_is_said_that_it_is_locked_out() {
    let (env, daemon) = place(Line::V2_24, 3_600);
    env.fault("swallow");
    let failed = env.jetond(&["app", "regenerate", KEY, "--yes"]);
    env.fault("none");
    assert_ne!(failed.code, 0, "{failed:?}");
    for says in [
        "no new secret has arrived",
        "is locked out",
        "research",
        "--rebind",
    ] {
        assert!(failed.stderr.contains(says), "{says}: {failed:?}");
    }
    assert_eq!(env.sandbox().stats().keys_regenerated, 2);
    // The token that the daemon holds is enough to renew the key.
    let renewed = env.jetond(&["app", "regenerate", KEY, "--yes"]);
    assert_eq!(renewed.code, 0, "{renewed:?}");
    assert_eq!(journal(&env), "");
    let last = env.sandbox().secrets().pop().unwrap();
    assert_eq!(stored_secret(&env, "research"), last);
    end(env, daemon);
}

#[test]
fn where_the_tokens_die_with_the_secret_a_lost_answer_locks_the_key_out_and_says_so() {
    let (env, daemon) = place(Line::V2_24, 3_600);
    env.sandbox().set_old_tokens(OldTokens::Die);
    fault_for(&env, "swallow", 1);
    let failed = env.jetond(&["app", "regenerate", KEY, "--yes"]);
    assert_eq!(failed.code, 1, "{failed:?}");
    assert!(failed.stderr.contains("is locked out"), "{failed:?}");
    assert_eq!(env.sandbox().stats().keys_regenerated, 1);
    end(env, daemon);
}

#[test]
fn without_a_proved_store_and_a_token_for_a_second_call_nothing_is_sent() {
    let (env, daemon) = place(Line::V2_24, 600);
    let short = env.jetond(&["app", "regenerate", KEY, "--yes"]);
    assert_eq!(short.code, 75, "{short:?}");
    assert!(
        short.stderr.contains("nothing is sent") && short.stderr.contains("900 s"),
        "{short:?}"
    );
    assert_eq!(env.sandbox().stats().keys_regenerated, 0);
    end(env, daemon);
    let (env, daemon) = place(Line::V2_24, 3_600);
    env.token(&daemon, "research");
    let folder = env.path("state/jeton/credentials");
    fs::set_permissions(&folder, Permissions::from_mode(0o755)).unwrap();
    let refused = env.jetond(&["app", "regenerate", KEY, "--yes"]);
    fs::set_permissions(&folder, Permissions::from_mode(0o700)).unwrap();
    assert_eq!(refused.code, 78, "{refused:?}");
    assert!(refused.stderr.contains("nothing is sent"), "{refused:?}");
    assert_eq!(env.sandbox().stats().keys_regenerated, 0);
    assert_eq!(journal(&env), "");
    end(env, daemon);
}

/// Regenerates the key while its store cannot be written: from after the first call until after call number `until`.
fn regenerate_without_store(until: u64) -> (TestEnv, Daemon, Output) {
    let (env, daemon) = place(Line::V2_24, 3_600);
    env.token(&daemon, "research");
    let folder = env.path("state/jeton/credentials");
    let set_mode = |mode| fs::set_permissions(&folder, Permissions::from_mode(mode)).unwrap();
    env.fault("keys:slow:1.5");
    let regenerated = |count| {
        wait_until("the key to be regenerated", || {
            env.sandbox().stats().keys_regenerated == count
        });
    };
    let ended = std::thread::scope(|scope| {
        let command = env.jetond_command(&["app", "regenerate", KEY, "--yes"]);
        let child = scope.spawn(|| {
            let mut command = command;
            command.output().unwrap()
        });
        regenerated(1);
        set_mode(0o755);
        regenerated(until);
        if until == 2 && env.sandbox().stats().keys_regenerated == 2 {
            set_mode(0o700);
        }
        child.join().unwrap()
    });
    env.fault("none");
    set_mode(0o700);
    env.came_out("jetond's stdout", &ended.stdout, false);
    env.came_out("jetond's stderr", &ended.stderr, false);
    (
        env,
        daemon,
        Output {
            code: ended.status.code().unwrap(),
            stdout: String::from_utf8_lossy(&ended.stdout).into_owned(),
            stderr: String::from_utf8_lossy(&ended.stderr).into_owned(),
        },
    )
}

#[test]
fn a_secret_that_cannot_be_stored_is_made_good_by_a_second_call() {
    let (env, daemon, renewed) = regenerate_without_store(2);
    assert_eq!(renewed.code, 0, "{renewed:?}");
    assert!(
        renewed.stderr.contains("the new secret cannot be stored"),
        "{renewed:?}"
    );
    let last = env.sandbox().secrets().pop().unwrap();
    assert_eq!(stored_secret(&env, "research"), last);
    assert_eq!(journal(&env), "");
    end(env, daemon);
}

#[test]
fn a_secret_that_can_never_be_stored_is_said_to_lock_the_key_out() {
    let (env, daemon, failed) = regenerate_without_store(1);
    assert_eq!(failed.code, 78, "{failed:?}");
    for says in [
        "is locked out",
        "while the token of research holds",
        "--rebind",
    ] {
        assert!(failed.stderr.contains(says), "{says}: {failed:?}");
    }
    assert_eq!(env.sandbox().stats().keys_regenerated, 2);
    let told = env.jetond(&["app", "list"]);
    assert!(told.stderr.contains("locked out"), "{told:?}");
    let renewed = env.jetond(&["app", "regenerate", KEY, "--yes"]);
    assert_eq!(renewed.code, 0, "{renewed:?}");
    assert_eq!(journal(&env), "");
    end(env, daemon);
}

#[test]
fn a_key_that_none_of_ours_has_gets_its_new_secret_where_it_is_said() {
    let (env, daemon) = place(Line::V2_24, 3_600);
    let body = json!({"name": "other-key"}).to_string();
    assert_eq!(
        call(&env, &daemon, "POST", "/api/v1/access-keys", &body),
        201
    );
    let nowhere = env.jetond(&["app", "regenerate", "other-key", "--yes"]);
    assert_eq!(nowhere.code, 64, "{nowhere:?}");
    assert!(nowhere.stderr.contains("--secret-file"), "{nowhere:?}");
    let ours = env.jetond(&["app", "regenerate", KEY, "--enrol", "new", "--yes"]);
    assert_eq!(ours.code, 64, "{ours:?}");
    assert_eq!(env.sandbox().stats().keys_regenerated, 0);
    let path = env.path("secret");
    fs::remove_file(&path).unwrap();
    let args = ["app", "regenerate", "other-key", "--yes", "--secret-file"];
    let renewed = env.jetond(&[&args[..], &[path.to_str().unwrap()]].concat());
    assert_eq!(renewed.code, 0, "{renewed:?}");
    let secret = env.sandbox().secrets().pop().unwrap();
    assert_eq!(fs::read_to_string(&path).unwrap(), format!("{secret}\n"));
    let renewed = env.jetond(&["app", "regenerate", "other-key", "--yes", "--enrol", "new"]);
    assert_eq!(renewed.code, 0, "{renewed:?}");
    let token = env.token(&daemon, "new");
    assert!(env.sandbox().issued().contains(&token));
    assert_eq!(journal(&env), "");
    end(env, daemon);
}

#[test]
fn a_key_is_not_regenerated_while_it_cannot_be_told_who_has_it() {
    let (env, daemon) = place(Line::V2_24, 3_600);
    let made = env.jetond(&["app", "create", "new-key", "--enrol", "new"]);
    assert_eq!(made.code, 0, "{made:?}");
    fs::set_permissions(env.record("new"), Permissions::from_mode(0o644)).unwrap();
    let path = env.path("another").to_str().unwrap().to_owned();
    let args = [
        "app",
        "regenerate",
        "new-key",
        "research",
        "--yes",
        "--secret-file",
        &path,
    ];
    let refused = env.jetond(&args);
    assert_eq!(refused.code, 78, "{refused:?}");
    assert!(
        refused
            .stderr
            .contains("new may use the access key new-key"),
        "{refused:?}"
    );
    let refused = env.jetond(&["app", "delete", "new-key", "research", "--yes"]);
    assert_eq!(refused.code, 78, "{refused:?}");
    assert!(refused.stderr.contains("--force"), "{refused:?}");
    assert_eq!(env.sandbox().stats().keys_regenerated, 0);
    assert!(key(&env, "new-key").is_some() && !env.path("another").exists());
    fs::set_permissions(env.record("new"), Permissions::from_mode(0o600)).unwrap();
    end(env, daemon);
}
