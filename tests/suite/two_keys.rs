//! Records with two keys, during a rotation: if the issuer rejects the key in use, the other one gets tokens.
#![expect(
    clippy::unwrap_used,
    reason = "test helpers panic on an unexpected result, as tests do"
)]

use std::fs::{self, DirBuilder, Permissions};
use std::os::unix::fs::{DirBuilderExt as _, PermissionsExt as _};

use serde_json::{Value, json};

use crate::support::TestEnv;
use crate::support::daemon::{Daemon, wait_until};

/// The secret of a key that the issuer does not know.
const REVOKED: &str = "revoked-secret-8c1f0d";

/// Changes the record to one in the middle of a rotation: the issuer does not know its key in use, and the valid key is
/// in `member`.
fn rotate(env: &TestEnv, record: &[u8], member: &str) {
    let mut record: Value = serde_json::from_slice(record).unwrap();
    let members = [
        "client_id",
        "client_secret",
        "key_id",
        "key_name",
        "created_at",
    ];
    let good = members.map(|name| (name.to_owned(), record[name].clone()));
    record[member] = Value::Object(good.into_iter().collect());
    record["version"] = 3.into();
    record["rotation_id"] = "0".repeat(32).into();
    record["client_id"] = "revoked-client".into();
    record["client_secret"] = REVOKED.into();
    // Written in place, as an editor may do it.
    fs::write(env.record("a"), record.to_string()).unwrap();
}

/// Truncates the rotation's journal, so that the daemon does not touch the keys and leaves both in the record.
fn leave_alone(env: &TestEnv) {
    let folder = env.path("state/jeton/rotations");
    DirBuilder::new().mode(0o700).create(&folder).unwrap();
    let journal = folder.join("a.json");
    fs::write(&journal, "{").unwrap();
    fs::set_permissions(&journal, Permissions::from_mode(0o600)).unwrap();
}

fn status(env: &TestEnv, daemon: &Daemon) -> Value {
    env.get(daemon, "/v1/profiles/a").json()
}

#[test]
fn the_second_key_is_used_while_the_first_is_rejected() {
    for member in ["next", "previous"] {
        let mut env = TestEnv::with_sandbox(3_600);
        env.forbid_secret("a revoked secret", REVOKED);
        env.enrol("a");
        rotate(&env, &fs::read(env.record("a")).unwrap(), member);
        leave_alone(&env);
        let mut daemon = env.start();
        let held = env.token(&daemon, "a");
        assert!(
            env.sandbox().stats().rejected >= 1,
            "the daemon tried the first key"
        );
        let refreshed = env.jeton(&["refresh", "a"]);
        assert_eq!(refreshed.code, 0, "{member}: {refreshed:?}");
        assert_ne!(env.token(&daemon, "a"), held);
        let state = status(&env, &daemon);
        assert_eq!(state["phase"], "fresh", "{member}: {state}");
        assert_eq!(state["last_fault"], json!(null), "{member}: {state}");
        let rejected = &state["stored_credential_rejected"]["kind"];
        assert_eq!(*rejected, "rejected", "{member}: {state}");
        daemon.wait_for_log("the other key of its rotation is in use");
        env.stop(&mut daemon);
    }
}

#[test]
fn a_second_key_closes_the_circuit_breaker() {
    let mut env = TestEnv::with_sandbox(3_600);
    env.forbid_secret("a revoked secret", REVOKED);
    env.enrol("a");
    let good = fs::read(env.record("a")).unwrap();
    let mut alone: Value = serde_json::from_slice(&good).unwrap();
    alone["client_id"] = "revoked-client".into();
    alone["client_secret"] = REVOKED.into();
    fs::write(env.record("a"), alone.to_string()).unwrap();
    let mut daemon = env.start();
    wait_until("the rejection", || {
        status(&env, &daemon)["phase"] == "rejected"
    });
    rotate(&env, &good, "next");
    wait_until("a token", || status(&env, &daemon)["expires_in"].is_u64());
    env.stop(&mut daemon);
}
