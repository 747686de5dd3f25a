//! Every command of `jetond app` on every server line.

use std::fs;

use jetond::sandbox::Line;
use serde_json::Value;

use super::{end, journal, key, started};
use crate::support::TestEnv;

/// Each server line, with the `--kind` arguments that it requires.
const LINES: [(Line, &[&str]); 5] = [
    (Line::V2_18, &["--kind", "application"]),
    (Line::V2_20, &[]),
    (Line::V2_23, &[]),
    (Line::V2_24, &[]),
    (Line::V3_0, &[]),
];

/// Returns the output of a command that must succeed.
fn app(env: &TestEnv, args: &[&str], kind: &[&str]) -> String {
    let done = env.jetond(&[&["app"], args, kind].concat());
    assert_eq!(done.code, 0, "{args:?}: {done:?}");
    done.stdout
}

/// Returns the content of a file that was given as `--secret-file`.
fn secret(env: &TestEnv, name: &str) -> String {
    let text = fs::read_to_string(env.path(name)).unwrap();
    text.trim_end().to_owned()
}

#[test]
fn every_app_command_works_on_every_server_line() {
    assert_eq!(LINES.map(|(line, _)| line), Line::ALL);
    for (line, kind) in LINES {
        let (env, daemon) = started(line, 3_600);
        let (first, second) = (env.path("first"), env.path("second"));
        let (first, second) = (first.to_str().unwrap(), second.to_str().unwrap());
        let made = app(&env, &["create", "new-key", "--secret-file", first], kind);
        assert!(made.contains("its secret is in "), "{line}: {made}");
        let made = key(&env, "new-key").unwrap();
        assert!(
            env.sandbox().secrets().contains(&secret(&env, "first")),
            "{line}"
        );
        for text in ["new-key", &made.id, &made.client_id] {
            let shown = app(&env, &["show", text, "--json"], kind);
            let shown: Value = serde_json::from_str(&shown).unwrap();
            assert_eq!(shown["id"], *made.id, "{line}: {text}");
        }
        let args = ["regenerate", "new-key", "--yes", "--secret-file", second];
        let renewed = app(&env, &args, kind);
        assert!(renewed.contains("has a new secret"), "{line}: {renewed}");
        let renewed = secret(&env, "second");
        assert_ne!(renewed, secret(&env, "first"), "{line}");
        assert!(env.sandbox().secrets().contains(&renewed), "{line}");
        let listed = app(&env, &["list"], kind);
        assert!(listed.contains("new-key"), "{line}: {listed:?}");
        let deleted = app(&env, &["delete", &made.id, "--yes"], kind);
        assert!(deleted.contains("is deleted"), "{line}: {deleted}");
        assert!(key(&env, "new-key").is_none(), "{line}");
        let listed = app(&env, &["list"], kind);
        assert!(!listed.contains("new-key"), "{line}: {listed:?}");
        assert_eq!(journal(&env), "", "{line}");
        // These two files may contain a secret; no other file may.
        fs::remove_file(first).unwrap();
        fs::remove_file(second).unwrap();
        end(env, daemon);
    }
}

#[test]
fn on_2_18_each_command_reports_that_users_have_no_keys() {
    let (env, daemon) = started(Line::V2_18, 3_600);
    let path = env.path("secret-of-no-key");
    let file = path.to_str().unwrap();
    for args in [
        &["list"][..],
        &["list", "--all"],
        &["show", "first-key"],
        &["create", "new-key", "--secret-file", file],
        &["create", "new-key", "--enrol", "new"],
        &["regenerate", "test-client", "--yes"],
        &["delete", "test-client", "--yes", "--force"],
    ] {
        let refused = env.jetond(&[&["app"], args].concat());
        assert_eq!(refused.code, 78, "{args:?}: {refused:?}");
        assert!(
            refused.stderr.contains("--kind application"),
            "{args:?}: {refused:?}"
        );
        assert_eq!(refused.stdout, "", "{args:?}");
    }
    assert_eq!(env.sandbox().applications().len(), 1);
    assert!(!path.exists() && !env.record("new").exists());
    assert_eq!(journal(&env), "");
    end(env, daemon);
}
