//! Moves during a rotation: a credential whose key is being rotated stays where it is.
#![expect(
    clippy::unwrap_used,
    reason = "test helpers panic on an unexpected result, as tests do"
)]

use std::fs;
use std::os::unix::fs::{DirBuilderExt as _, PermissionsExt as _};
use std::path::PathBuf;

use jetond::age_file::Identity;

use crate::enrol::write_config;
use crate::support::TestEnv;
use crate::support::env::Output;

fn journal(env: &TestEnv) -> PathBuf {
    env.path("state/jeton/rotations/a.json")
}

fn put_journal(env: &TestEnv, text: &str) {
    let folder = journal(env).parent().unwrap().to_owned();
    let _ = fs::DirBuilder::new().mode(0o700).create(folder);
    fs::write(journal(env), text).unwrap();
    fs::set_permissions(journal(env), fs::Permissions::from_mode(0o600)).unwrap();
}

/// Changes the record to one of a rotation before its switch.
fn rotate_record(env: &TestEnv) {
    let record = fs::read(env.record("a")).unwrap();
    let mut record: serde_json::Value = serde_json::from_slice(&record).unwrap();
    assert_eq!(record["version"], 2, "a record that is not rotated");
    assert!(
        record["server_date"].is_u64(),
        "the record has the issuer's date"
    );
    let next = serde_json::json!({
        "client_id": "next-id", "client_secret": "next-canary", "key_id": "k-2",
        "key_name": "jeton-a-2", "created_at": 5,
    });
    record["version"] = 3.into();
    record["rotation_id"] = "0".repeat(32).into();
    record["next"] = next;
    fs::write(env.record("a"), record.to_string()).unwrap();
}

/// Enrols the profile, and sets a recipient for the store of encrypted files.
fn enrol(env: &TestEnv) {
    env.enrol("a");
    let recipient = Identity::generate().recipient();
    let table = format!(
        "\n[encrypted-file]\nrecipient = \"{}\"\n",
        recipient.as_str()
    );
    write_config(env, fs::read_to_string(env.config()).unwrap() + &table);
}

fn refusals(env: &TestEnv) -> [Output; 3] {
    let passphrase = env.path("home/passphrase");
    fs::write(&passphrase, "a passphrase of several words").unwrap();
    fs::set_permissions(&passphrase, fs::Permissions::from_mode(0o600)).unwrap();
    let (file, passphrase) = (env.path("home/out.age"), passphrase.to_str().unwrap());
    let export = [
        "export",
        "a",
        "--to",
        file.to_str().unwrap(),
        "--passphrase-file",
        passphrase,
    ];
    [
        env.jetond(&["remove", "a", "--yes"]),
        env.jetond(&["migrate", "a", "--to", "encrypted-file"]),
        env.jetond(&export),
    ]
}

fn assert_refused(env: &TestEnv, why: &str) {
    let before = (
        fs::read(env.config()).unwrap(),
        fs::read(env.record("a")).unwrap(),
    );
    for refused in refusals(env) {
        assert_eq!((refused.code, &*refused.stdout), (75, ""), "{refused:?}");
        assert!(
            refused.stderr.contains("the key of a is being rotated")
                && refused.stderr.contains(why),
            "{refused:?}"
        );
    }
    assert!(!env.path("home/out.age").exists());
    let after = (
        fs::read(env.config()).unwrap(),
        fs::read(env.record("a")).unwrap(),
    );
    assert!(before == after, "nothing is changed");
}

#[test]
fn a_profile_whose_record_is_being_rotated_is_neither_moved_nor_removed() {
    let env = TestEnv::with_sandbox(60);
    enrol(&env);
    rotate_record(&env);
    assert_refused(&env, "try again when that has ended");
    let forced = env.jetond(&["remove", "a", "--yes", "--force"]);
    assert_eq!(forced.code, 0, "{forced:?}");
    assert!(forced.stderr.contains("jeton-a-2"), "{forced:?}");
    assert!(!env.record("a").exists());
}

#[test]
fn an_invalid_journal_keeps_the_profile_unchanged_and_is_reported() {
    let env = TestEnv::with_sandbox(60);
    enrol(&env);
    put_journal(&env, "{\"version\": 1, \"tried\": [\"jeton-a-7\", \"jeton-");
    assert_refused(&env, "cannot be understood");
    let forced = env.jetond(&["remove", "a", "--yes", "--force"]);
    assert_eq!(forced.code, 0, "{forced:?}");
    assert!(forced.stderr.contains("jeton-a-7"), "{forced:?}");
    assert!(!env.record("a").exists() && !journal(&env).exists());
}
