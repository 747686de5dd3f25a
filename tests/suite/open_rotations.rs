//! Reports about unfinished rotations: how far each one is, which machine runs it, and what the user should do.
#![cfg(target_os = "linux")]
#![expect(
    clippy::unwrap_used,
    reason = "test helpers panic on an unexpected result, as tests do"
)]

use std::fs;
use std::os::unix::fs::{DirBuilderExt as _, PermissionsExt as _};
use std::path::PathBuf;

use crate::doctor::{assert_about, doctor};
use crate::support::TestEnv;

fn put_journal(env: &TestEnv, text: &str) -> PathBuf {
    let file = env.path("state/jeton/rotations/a.json");
    let _ = fs::DirBuilder::new()
        .mode(0o700)
        .create(file.parent().unwrap());
    fs::write(&file, text).unwrap();
    fs::set_permissions(&file, fs::Permissions::from_mode(0o600)).unwrap();
    file
}

/// Returns a rotation journal with this host name and boot ID.
fn journal(host: &str, boot: &str) -> String {
    let former = serde_json::json!({ "client_id": "c", "key_id": "k", "name": "first-key" });
    serde_json::json!({
        "version": 1, "profile": "a", "rotation_id": "0".repeat(32), "mode": "overlap",
        "phase": "in-grace", "host": host, "boot": boot, "with": null, "path": "/api/v1/access-keys",
        "former": former, "tried": ["jeton-a-7"], "made": [], "switched": null, "logins": [],
    })
    .to_string()
}

fn system(name: &str) -> String {
    let text = fs::read_to_string(format!("/proc/sys/kernel/{name}")).unwrap();
    text.trim().to_owned()
}

#[test]
fn only_this_machines_rotations_are_continued() {
    let env = TestEnv::with_sandbox(3_600);
    env.enrol("a");
    let (host, boot) = (system("hostname"), system("random/boot_id"));
    for (journal, whose) in [
        (
            journal(&host, &boot),
            "on this machine: the phase is 'in-grace'",
        ),
        (
            journal(&host, "0-1"),
            "on this machine, before it was last started",
        ),
    ] {
        put_journal(&env, &journal);
        let (code, findings) = doctor(&env, &[]);
        assert_eq!(code, 0, "{findings:#?}");
        assert_about(&findings, "rotation", "ok", whose);
        let checked = env.jetond(&["check"]);
        assert_eq!((checked.code, &*checked.stderr), (0, ""), "{checked:?}");
        assert!(checked.stdout.contains(whose), "{checked:?}");
    }
    // The host name of another machine may contain any characters.
    put_journal(&env, &journal("other\u{1b}[2J-host", &boot));
    let whose = "on another machine, other[2J-host: the phase is 'in-grace'";
    let (_, findings) = doctor(&env, &[]);
    assert_about(&findings, "leftover", "warn", whose);
    let checked = env.jetond(&["check"]);
    assert!(checked.stderr.contains(whose), "{checked:?}");
    let remedy = "run: jeton rotate a --take-over";
    assert!(checked.stderr.contains(remedy), "{checked:?}");
}

#[test]
fn an_invalid_rotation_journal_is_reported_and_tokens_are_served() {
    let whole = journal(&system("hostname"), &system("random/boot_id"));
    let newer = whole.replace("\"version\":1", "\"version\":9");
    let cut = "{\"version\": 1, \"tried\": [\"jeton-a-7\", \"jeton-";
    for (journal, why) in [
        (newer.as_str(), "another version"),
        (cut, "it does not say"),
    ] {
        let env = TestEnv::with_sandbox(3_600);
        env.enrol("a");
        let file = put_journal(&env, journal);
        let mut daemon = env.start();
        env.token(&daemon, "a");
        daemon.wait_for_log("its journal cannot be used");
        let (_, findings) = doctor(&env, &[]);
        assert_about(&findings, "leftover", "warn", why);
        assert_about(&findings, "leftover", "warn", "the server for these keys: ");
        assert_about(&findings, "leftover", "warn", "jeton-a-7");
        assert_about(&findings, "leftover", "warn", file.to_str().unwrap());
        assert_eq!(
            fs::read_to_string(&file).unwrap(),
            journal,
            "the journal is unchanged"
        );
        let stats = env.sandbox().stats();
        let changes = stats.keys_created + stats.keys_regenerated + stats.keys_deleted;
        assert_eq!(changes, 0, "nothing is changed at the server");
        env.stop(&mut daemon);
    }
}
