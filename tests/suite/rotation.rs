//! Rotations in the real daemon: each continues after a kill of an earlier process, and callers notice nothing.
#![cfg(target_os = "linux")]
#![expect(
    clippy::unwrap_used,
    reason = "test helpers panic on an unexpected result, as tests do"
)]

use std::fs;
use std::os::unix::fs::PermissionsExt;

use jetond::sandbox::Line;
use rustix::process::Signal;
use serde_json::{Value, json};

use crate::app;
use crate::support::TestEnv;
use crate::support::daemon::{Daemon, wait_until};

const NEW_KEY: &str = "jeton-research-000000000007";

fn line_of(path: &str) -> String {
    fs::read_to_string(path).unwrap().trim().to_owned()
}

/// Leaves the state of a process that was killed just before it creates the key.
fn leave_rotation(env: &TestEnv) {
    let own = env.sandbox().applications().remove(0);
    let journal = json!({
        "version": 1,
        "profile": "research",
        "rotation_id": format!("{:032x}", 7),
        "mode": "overlap",
        "phase": "creating",
        "host": line_of("/proc/sys/kernel/hostname"),
        "boot": line_of("/proc/sys/kernel/random/boot_id"),
        "with": null,
        "path": "/api/v1/access-keys",
        "former": {"client_id": own.client_id, "key_id": own.id, "name": own.name},
        "tried": [NEW_KEY],
        "made": [],
        "grace": null,
    });
    let folder = env.path("state/jeton/rotations");
    fs::create_dir(&folder).unwrap();
    fs::set_permissions(&folder, PermissionsExt::from_mode(0o700)).unwrap();
    let path = folder.join("research.json");
    fs::write(&path, journal.to_string()).unwrap();
    fs::set_permissions(&path, PermissionsExt::from_mode(0o600)).unwrap();
}

fn record(env: &TestEnv) -> Value {
    serde_json::from_slice(&fs::read(env.record("research")).unwrap()).unwrap()
}

/// Requests tokens until the condition holds. Asserts that each one is a token that the issuer gave.
fn serve_until(env: &TestEnv, daemon: &Daemon, what: &str, mut so: impl FnMut() -> bool) {
    wait_until(what, || {
        let token = env.token(daemon, "research");
        assert!(env.sandbox().issued().contains(&token), "{what}");
        so()
    });
}

#[test]
fn a_rotation_survives_kills_while_requests_are_served() {
    let env = TestEnv::with_line(Line::V3_0, 5);
    env.enrol("research");
    let old = env.sandbox().applications().remove(0);
    leave_rotation(&env);

    let mut daemon = env.start();
    serve_until(&env, &daemon, "the switch to the new key", || {
        record(&env)["previous"].is_object()
    });
    let new = app::key(&env, NEW_KEY).unwrap();
    assert_eq!(record(&env)["client_id"], new.client_id);
    assert_eq!(record(&env)["previous"]["client_id"], old.client_id);
    daemon.signal(Signal::KILL);
    daemon.wait();

    let daemon = env.start();
    serve_until(&env, &daemon, "the deletion of the old key", || {
        app::key(&env, &old.name).is_none()
    });
    assert_eq!(env.sandbox().applications().len(), 1);
    assert_eq!(env.sandbox().stats().rejected, 0);
    app::end(env, daemon);
}
