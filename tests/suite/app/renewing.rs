//! Regenerating keys.

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt as _;

use jetond::sandbox::Line;
use serde_json::json;

use super::{call, end, fault_for, journal, key, started, stored_secret};
use crate::support::daemon::wait_until;

const KEY: &str = "test-client";

#[test]
fn a_regenerated_secret_works_at_once_while_the_old_token_is_served() {
    for line in Line::ALL {
        let (env, daemon) = started(line, 3_600);
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
        // The daemon's next token is one of the new secret, whatever token it serves until then.
        env.sandbox().revoke_all();
        let refreshed = env.jeton(&["refresh", "research"]);
        assert_eq!(refreshed.code, 0, "{line}: {refreshed:?}");
        assert_ne!(env.token(&daemon, "research"), before, "{line}");
        // On 2.18 every first request is one that the line does not know.
        if line != Line::V2_18 {
            assert_eq!(env.sandbox().stats().rejected, 0, "{line}");
        }
        end(env, daemon);
    }
}

#[test]
fn regenerate_sends_nothing_without_a_writable_store_and_a_token() {
    let (env, daemon) = started(Line::V2_24, 600);
    let short = env.jetond(&["app", "regenerate", KEY, "--yes"]);
    assert_eq!(short.code, 75, "{short:?}");
    assert!(
        short.stderr.contains("nothing is sent") && short.stderr.contains("900 s"),
        "{short:?}"
    );
    assert_eq!(env.sandbox().stats().keys_regenerated, 0);
    end(env, daemon);
    let (env, daemon) = started(Line::V2_24, 3_600);
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

#[test]
fn regenerate_stores_the_new_secret_once_the_store_is_usable_again() {
    let (env, daemon) = started(Line::V2_24, 3_600);
    env.token(&daemon, "research");
    let folder = env.path("state/jeton/credentials");
    let set_mode = |mode| fs::set_permissions(&folder, Permissions::from_mode(mode)).unwrap();
    env.fault("keys:slow:1.5");
    let renewed = std::thread::scope(|scope| {
        let mut command = env.jetond_command(&["app", "regenerate", KEY, "--yes"]);
        let child = scope.spawn(move || command.output().unwrap());
        wait_until("the key to be regenerated", || {
            env.sandbox().stats().keys_regenerated == 1
        });
        set_mode(0o755);
        daemon.wait_for_log("the record cannot be read");
        set_mode(0o700);
        child.join().unwrap()
    });
    env.fault("none");
    env.add_output("jetond's stdout", &renewed.stdout, false);
    env.add_output("jetond's stderr", &renewed.stderr, false);
    assert!(renewed.status.success(), "{renewed:?}");
    assert!(String::from_utf8_lossy(&renewed.stdout).contains("waiting for the store"));
    // One call is enough: its answer was kept.
    assert_eq!(env.sandbox().stats().keys_regenerated, 1);
    let last = env.sandbox().secrets().pop().unwrap();
    assert_eq!(stored_secret(&env, "research"), last);
    assert_eq!(journal(&env), "");
    end(env, daemon);
}

#[test]
fn the_new_secret_of_a_key_without_a_profile_goes_where_the_option_says() {
    let (env, daemon) = started(Line::V2_24, 3_600);
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
fn regenerate_is_repeated_at_most_once_after_a_lost_answer() {
    for (lost, is_well) in [(1, true), (5, false)] {
        let (env, daemon) = started(Line::V2_24, 3_600);
        let body = json!({"name": "other-key"}).to_string();
        assert_eq!(
            call(&env, &daemon, "POST", "/api/v1/access-keys", &body),
            201
        );
        let path = env.path("secret");
        fs::remove_file(&path).unwrap();
        fault_for(&env, "executed:status:500", lost);
        let args = ["app", "regenerate", "other-key", "--yes", "--secret-file"];
        let renewed = env.jetond(&[&args[..], &[path.to_str().unwrap()]].concat());
        env.fault("none");
        assert_eq!(renewed.code == 0, is_well, "{lost}: {renewed:?}");
        assert_eq!(env.sandbox().stats().keys_regenerated, 2, "{lost}");
        assert_eq!(path.exists(), is_well, "{lost}");
        end(env, daemon);
    }
}

#[test]
fn a_key_of_unknown_owner_is_not_regenerated() {
    let (env, daemon) = started(Line::V2_24, 3_600);
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
