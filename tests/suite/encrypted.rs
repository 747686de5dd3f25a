//! The store of encrypted files: created, unlocked, locked, and readable by Debian's `age`.
#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "test helpers panic on an unexpected result, as tests do"
)]

mod bad_input;
mod locking;
mod peers;

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::PathBuf;
use std::process::Command;

use crate::support::daemon::Daemon;
use crate::support::env::Output;
use crate::support::{TestEnv, ignored};
use crate::terminal::Terminal;

const PASSPHRASE: &str = "a passphrase of the test";

/// The smallest accepted work factor. These tests do not measure how long guessing takes.
const QUICK: [&str; 2] = ["--work-factor", "12"];

/// A test environment with an encrypted store. Neither the passphrase nor the identity may leak.
fn set_up(token_life: u64) -> TestEnv {
    let mut env = TestEnv::with_sandbox(token_life);
    env.forbid("the passphrase", PASSPHRASE);
    let made = encrypt(&env, &[]);
    assert_eq!(made.code, 0, "{made:?}");
    env
}

/// Creates a file of mode 0600 with this passphrase. It is outside the environment's folder, which is searched for the
/// passphrase.
fn passphrase_file(text: &str) -> tempfile::NamedTempFile {
    let file = tempfile::NamedTempFile::new().unwrap();
    fs::write(file.path(), text).unwrap();
    fs::set_permissions(file.path(), fs::Permissions::from_mode(0o600)).unwrap();
    file
}

/// Runs a command with the passphrase in a file.
fn with_passphrase(env: &TestEnv, args: &[&str]) -> Output {
    let file = passphrase_file(&format!("{PASSPHRASE}\n"));
    let given = ["--passphrase-file", file.path().to_str().unwrap()];
    env.jetond(&[args, &given].concat())
}

fn encrypt(env: &TestEnv, more: &[&str]) -> Output {
    with_passphrase(env, &[&["encrypt-store"], &QUICK[..], more].concat())
}

fn unlock(env: &TestEnv) -> Output {
    with_passphrase(env, &["unlock"])
}

/// Enrols the sandbox's application in the store of encrypted files.
fn enrol(env: &TestEnv, profile: &str) {
    let url = env.sandbox().url();
    let added = env.try_enrol_with(profile, &url, &["--store", "encrypted-file"]);
    assert_eq!(added.code, 0, "{added:?}");
}

fn record(env: &TestEnv, profile: &str) -> PathBuf {
    env.path(&format!("state/jeton/credentials/{profile}.age"))
}

fn identity(env: &TestEnv) -> PathBuf {
    env.path("state/jeton/encrypted-file/identity.age")
}

/// Returns the status and the problem code of a request for a token.
fn answer(env: &TestEnv, daemon: &Daemon, profile: &str) -> (u16, String) {
    let answer = env.get(daemon, &format!("/v1/profiles/{profile}/token"));
    match answer.status {
        200 => (200, String::new()),
        status => (status, answer.code()),
    }
}

fn locked() -> (u16, String) {
    (503, "locked".to_owned())
}

#[test]
fn encrypt_store_creates_the_store_once_and_moves_no_profile() {
    let mut env = TestEnv::with_sandbox(60);
    env.forbid("the passphrase", PASSPHRASE);
    env.enrol("plain");
    let before = fs::read(env.record("plain")).unwrap();
    let made = encrypt(&env, &[]);
    assert_eq!(made.code, 0, "{made:?}");
    assert!(made.stdout.contains("keep a copy of that file"), "{made:?}");
    let config = fs::read_to_string(env.config()).unwrap();
    assert!(
        config.contains("\n[encrypted-file]\nrecipient = \"age1"),
        "{config}"
    );
    assert!(config.contains("store = \"file\""), "{config}");
    assert_eq!(fs::read(env.record("plain")).unwrap(), before);
    let mode = identity(&env).metadata().unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
    // A second identity is refused, because the first one would be lost.
    let kept = fs::read(identity(&env)).unwrap();
    let again = encrypt(&env, &[]);
    assert_eq!(again.code, 78, "{again:?}");
    assert!(again.stderr.contains("is encrypted already"), "{again:?}");
    assert_eq!(fs::read(identity(&env)).unwrap(), kept);
    assert_eq!(fs::read_to_string(env.config()).unwrap(), config);
}

#[test]
fn encrypt_store_after_an_interruption_keeps_the_existing_identity() {
    let env = set_up(60);
    let config = fs::read_to_string(env.config()).unwrap();
    let kept = fs::read(identity(&env)).unwrap();
    fs::write(env.config(), "# none\n").unwrap();
    let again = encrypt(&env, &[]);
    assert_eq!(again.code, 0, "{again:?}");
    assert_eq!(fs::read(identity(&env)).unwrap(), kept);
    let line = |text: &str| {
        let mut lines = text.lines();
        lines
            .find(|line| line.starts_with("recipient"))
            .map(str::to_owned)
    };
    let now = fs::read_to_string(env.config()).unwrap();
    assert!(line(&now).is_some() && line(&now) == line(&config), "{now}");
    // If the identity is missing, the recipient is not replaced by a new one.
    fs::remove_file(identity(&env)).unwrap();
    let refused = encrypt(&env, &[]);
    assert_eq!(refused.code, 78, "{refused:?}");
    assert!(
        refused.stderr.contains("restore it from a backup"),
        "{refused:?}"
    );
    let refused = unlock(&env);
    assert_eq!(refused.code, 78, "{refused:?}");
    assert!(
        refused.stderr.contains("restore it from a backup"),
        "{refused:?}"
    );
}

#[test]
fn without_an_encrypted_store_add_and_unlock_say_how_to_create_it() {
    let env = TestEnv::with_sandbox(60);
    let url = env.sandbox().url();
    let refused = env.try_enrol_with("a", &url, &["--store", "encrypted-file"]);
    assert_eq!(refused.code, 78, "{refused:?}");
    assert!(
        refused.stderr.contains("jetond encrypt-store"),
        "{refused:?}"
    );
    assert!(!env.config().exists());
    env.enrol("a");
    let refused = unlock(&env);
    assert_eq!(refused.code, 78, "{refused:?}");
    assert!(
        refused.stderr.contains("jetond encrypt-store"),
        "{refused:?}"
    );
}

#[test]
fn new_profiles_use_the_encrypted_store_once_it_exists() {
    let env = set_up(60);
    env.enrol("research");
    assert!(record(&env, "research").exists() && !env.record("research").exists());
    let config = fs::read_to_string(env.config()).unwrap();
    assert!(config.contains("store = \"encrypted-file\""), "{config}");
    let checked = env.jetond(&["check"]);
    assert_eq!(checked.code, 0, "{checked:?}");
    assert!(checked.stdout.contains("an encrypted file"), "{checked:?}");
    let removed = env.jetond(&["remove", "research", "--yes"]);
    assert_eq!(removed.code, 0, "{removed:?}");
    assert!(!record(&env, "research").exists());
}

#[test]
fn debians_age_opens_a_record_with_the_unwrapped_identity() {
    if Command::new("age").arg("--version").output().is_err() {
        return ignored("age: apt-get install age");
    }
    let env = set_up(60);
    enrol(&env, "research");
    let outside = tempfile::tempdir().unwrap();
    let key = outside.path().join("key.txt");
    let (key, wrapped) = (key.to_str().unwrap(), identity(&env));
    let wrapped = wrapped.to_str().unwrap();
    let mut terminal = Terminal::run(&env, &["age", "-d", "-o", key, wrapped], &[]);
    terminal.wait_for("passphrase");
    terminal.wait_for_no_echo();
    terminal.type_in(&format!("{PASSPHRASE}\n"));
    let (status, shown) = terminal.end(&env);
    assert!(status.success(), "{shown}");
    let opened = Command::new("age")
        .args(["-d", "-i", key])
        .arg(record(&env, "research"))
        .output()
        .unwrap();
    assert!(opened.status.success(), "{opened:?}");
    let record: serde_json::Value = serde_json::from_slice(&opened.stdout).unwrap();
    assert_eq!(record["profile"], "research");
    assert_eq!(record["client_secret"], env.secret());
}
