//! Listing and showing keys.

use jetond::sandbox::{Line, Setting};
use serde_json::Value;

use super::{end, started};
use crate::support::TestEnv;

#[test]
fn keys_are_listed_with_the_profile_that_uses_them() {
    for line in Line::ALL {
        let (env, daemon) = started(line, 600);
        let kind: &[&str] = match line {
            Line::V2_18 => &["--kind", "application"],
            _ => &[],
        };
        let listed = env.jetond(&[&["app", "list"], kind].concat());
        assert_eq!(listed.code, 0, "{line}: {listed:?}");
        for says in ["LAST LOGIN", "test-client", "research", "just now"] {
            assert!(listed.stdout.contains(says), "{line}: {says}: {listed:?}");
        }
        let own = listed.stdout.contains("1 of 20 ");
        assert_eq!(own, line != Line::V2_18, "{line}: {listed:?}");
        let json = env.jetond(&[&["app", "list", "research", "--json"], kind].concat());
        let json: Value = serde_json::from_str(&json.stdout).unwrap();
        assert_eq!(json["keys"][0]["profiles"][0], "research", "{line}");
        let name = json["keys"][0]["name"].as_str().unwrap();
        let id = json["keys"][0]["id"].as_str().unwrap();
        for text in [name, id, "test-client"] {
            let shown = env.jetond(&[&["app", "show", text, "--json"], kind].concat());
            let shown: Value = serde_json::from_str(&shown.stdout).unwrap();
            assert_eq!(shown, json["keys"][0], "{line}: {text}");
        }
        end(env, daemon);
    }
}

#[test]
fn list_on_a_server_line_without_user_keys_names_the_kind_to_use() {
    let (env, daemon) = started(Line::V2_18, 600);
    let refused = env.jetond(&["app", "list"]);
    assert_eq!(refused.code, 78, "{refused:?}");
    assert!(refused.stderr.contains("--kind application"), "{refused:?}");
    end(env, daemon);
}

#[test]
fn list_without_a_daemon_sends_nothing_and_proposes_to_start_it() {
    let env = TestEnv::with_sandbox(600);
    env.enrol("research");
    let before = env.sandbox().stats().token_requests;
    let refused = env.jetond(&["app", "list"]);
    assert_eq!(refused.code, 75, "{refused:?}");
    assert!(refused.stderr.contains("jetond run"), "{refused:?}");
    assert_eq!(env.sandbox().stats().token_requests, before);
}

#[test]
fn a_profile_bound_to_another_address_lists_nothing() {
    let (env, daemon) = started(Line::V2_24, 600);
    let text = std::fs::read_to_string(env.config()).unwrap();
    let text = text.replace(&env.sandbox().url(), "http://127.0.0.1:9");
    std::fs::write(env.config(), text).unwrap();
    let refused = env.jetond(&["app", "list"]);
    assert_eq!(refused.code, 78, "{refused:?}");
    assert!(
        refused.stderr.contains("nothing is sent") && refused.stderr.contains("--rebind"),
        "{refused:?}"
    );
    end(env, daemon);
}

#[test]
fn every_vendor_name_for_keys_leads_to_the_app_command() {
    let env = TestEnv::new();
    for arguments in [
        &["--help"][..],
        &["app", "--help"],
        &["access-key", "--help"],
    ] {
        let help = env.jetond(arguments);
        assert_eq!(help.code, 0, "{help:?}");
        let words: Vec<_> = help.stdout.split_whitespace().collect();
        let text = words.join(" ");
        for name in ["user application", "access key", "application"] {
            assert!(text.contains(name), "{name}: {help:?}");
        }
    }
    for name in [
        "app",
        "application",
        "user-application",
        "access-key",
        "access-keys",
    ] {
        let refused = env.jetond(&[name, "list"]);
        assert_eq!(refused.code, 78, "{name}: {refused:?}");
    }
}

#[test]
fn the_profile_is_the_argument_then_jeton_profile_then_the_only_one() {
    let (env, daemon) = started(Line::V2_24, 600);
    env.enrol("other");
    let several = env.jetond(&["app", "list"]);
    assert_eq!(several.code, 64, "{several:?}");
    assert!(several.stderr.contains("JETON_PROFILE"), "{several:?}");
    let list = |profile: &str| {
        let mut command = env.jetond_command(&["app", "list"]);
        command.env("JETON_PROFILE", profile);
        env.finish("jetond", command, b"", false)
    };
    assert_eq!(list("research").code, 0);
    let unknown = list("nothing");
    assert_eq!(unknown.code, 78, "{unknown:?}");
    let bad = list("no profile");
    assert_eq!(bad.code, 64, "{bad:?}");
    let named = env.jetond(&["app", "list", "research"]);
    assert!(named.stdout.contains("other, research"), "{named:?}");
    end(env, daemon);
}

#[test]
fn a_missing_permission_is_reported_with_a_remedy() {
    let (env, daemon) = started(Line::V2_24, 3_600);
    let path = env.path("another").to_str().unwrap().to_owned();
    for (setting, args) in [
        ("own-keys:forbidden", &["app", "list"][..]),
        (
            "own-keys:read-only",
            &["app", "create", "new-key", "--secret-file", &path],
        ),
        (
            "own-keys:not-itself",
            &["app", "regenerate", "first-key", "--yes"],
        ),
        (
            "own-keys:not-itself",
            &["app", "delete", "first-key", "--yes", "--force"],
        ),
        (
            "access-rules:user=practitioner",
            &["app", "list", "--kind", "service-account"],
        ),
    ] {
        env.sandbox().set(Setting::parse(setting).unwrap());
        let refused = env.jetond(args);
        // The daemon regenerates a key that a profile uses: no wait cures this.
        let code = if args.contains(&"regenerate") { 78 } else { 1 };
        assert_eq!(refused.code, code, "{setting}: {refused:?}");
        for says in ["(403)", "ask an administrator"] {
            assert!(refused.stderr.contains(says), "{setting}: {refused:?}");
        }
        assert!(!env.path("another").exists(), "{setting}");
    }
    let stats = env.sandbox().stats();
    assert_eq!(
        (
            stats.keys_created,
            stats.keys_regenerated,
            stats.keys_deleted
        ),
        (0, 0, 0)
    );
    end(env, daemon);
}
