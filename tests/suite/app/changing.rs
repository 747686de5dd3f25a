//! Deleting and renewing keys.

use jetond::sandbox::Line;

use super::{call, end, key, started};

#[test]
fn a_key_is_deleted_only_after_a_confirmation() {
    let (env, daemon) = started(Line::V2_24, 600);
    let body = r#"{"name":"other-key"}"#;
    assert_eq!(
        call(&env, &daemon, "POST", "/api/v1/access-keys", body),
        201
    );
    let asked = env.jetond(&["app", "delete", "other-key"]);
    assert_eq!(asked.code, 64, "{asked:?}");
    for says in [
        "nothing is deleted",
        "--yes",
        "other-key",
        "none recorded",
        "revoked at once",
    ] {
        assert!(asked.stderr.contains(says), "{says}: {asked:?}");
    }
    assert!(key(&env, "other-key").is_some());
    let ours = env.jetond(&["app", "delete", "first-key", "--yes"]);
    assert_eq!(ours.code, 78, "{ours:?}");
    assert!(
        ours.stderr.contains("research") && ours.stderr.contains("--force"),
        "{ours:?}"
    );
    assert!(key(&env, "first-key").is_some());
    let unknown = env.jetond(&["app", "delete", "no-such-key", "--yes"]);
    assert_eq!(unknown.code, 1, "{unknown:?}");
    assert!(unknown.stderr.contains("jetond app list"), "{unknown:?}");
    let deleted = env.jetond(&["app", "delete", "other-key", "--yes"]);
    assert_eq!(deleted.code, 0, "{deleted:?}");
    assert!(key(&env, "other-key").is_none());
    let forced = env.jetond(&["app", "delete", "test-client", "--yes", "--force"]);
    assert_eq!(forced.code, 0, "{forced:?}");
    assert!(
        forced.stderr.contains("research") && forced.stderr.contains("--rebind"),
        "{forced:?}"
    );
    assert!(key(&env, "first-key").is_none());
    end(env, daemon);
}
