//! Moving from one store to another: `jetond migrate`.
#![expect(
    clippy::unwrap_used,
    reason = "test helpers panic on an unexpected result, as tests do"
)]

use std::fs;
use std::path::PathBuf;

use jetond::age_file::Identity;

use crate::enrol::{add, write_config};
use crate::support::TestEnv;
use crate::support::env::Output;
use crate::support::keyring::Bus;

const PASSWORD: Option<&str> = Some("a password of the keyring");

fn migrate(env: &TestEnv, to: &str) -> Output {
    env.jetond(&["migrate", "research", "--to", to])
}

/// Returns the file that records a move that has begun.
fn intent(env: &TestEnv) -> PathBuf {
    env.path("state/jeton/moves/research.json")
}

/// Records an interrupted migration between these stores, for the credential whose file store record has this content.
fn begin(env: &TestEnv, from: &str, to: &str, record: &[u8]) {
    use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
    let record: serde_json::Value = serde_json::from_slice(record).unwrap();
    let text = serde_json::json!({
        "version": 1,
        "profile": "research",
        "config": env.config().canonicalize().unwrap(),
        "migration": {
            "from": from,
            "to": to,
            "client_id": record["client_id"],
            "created_at": record["created_at"],
        },
    });
    let folder = intent(env).parent().unwrap().to_owned();
    let _ = fs::DirBuilder::new().mode(0o700).create(folder);
    let mut file = fs::OpenOptions::new();
    let file = file.write(true).create(true).truncate(true).mode(0o600);
    let mut file = file.open(intent(env)).unwrap();
    std::io::Write::write_all(&mut file, text.to_string().as_bytes()).unwrap();
}

fn config(env: &TestEnv) -> String {
    fs::read_to_string(env.config()).unwrap()
}

fn set_store(env: &TestEnv, from: &str, to: &str) {
    let text = config(env).replace(&format!("store = \"{from}\""), &format!("store = \"{to}\""));
    write_config(env, text);
}

#[test]
fn a_credential_moves_to_the_keyring_and_back_during_service() {
    let env = TestEnv::with_sandbox(3_600);
    let Some(mut bus) = Bus::start(&env) else {
        return;
    };
    bus.keyring(PASSWORD);
    write_config(&env, "# mine\n");
    assert_eq!(add(&env, "research", &["--store", "file"]).code, 0);
    // Without this setting, the token that proves the credential would lead to a refresh.
    let text = config(&env).replace(
        "provider = ",
        "reissue = \"same-until-expiry\"\nprovider = ",
    );
    write_config(&env, text);
    let mut daemon = env.start();
    let token = env.token(&daemon, "research");
    let (before, record) = (config(&env), fs::read(env.record("research")).unwrap());

    let moved = migrate(&env, "keyring");
    assert_eq!(moved.code, 0, "{moved:?}");
    for says in ["research is moved", "the running daemon has read it"] {
        assert!(moved.stdout.contains(says), "{moved:?}");
    }
    assert_eq!(moved.stderr, "");
    assert!(
        bus.lookup("research").as_bytes() == record,
        "the keyring has the same record"
    );
    assert!(!env.record("research").exists() && !intent(&env).exists());
    let after = before.replace("store = \"file\"", "store = \"keyring\"");
    assert_eq!(config(&env), after, "every other byte stays");
    // The daemon keeps serving its token: a change of the store is no reason for a new one.
    assert!(env.token(&daemon, "research") == token);
    let refreshed = env.jeton(&["refresh", "research"]);
    assert_eq!(refreshed.code, 0, "{refreshed:?}");
    assert!(env.token(&daemon, "research") != token);

    let moved = migrate(&env, "file");
    assert_eq!(moved.code, 0, "{moved:?}");
    assert!(fs::read(env.record("research")).unwrap() == record);
    assert_eq!(bus.lookup("research"), "");
    assert_eq!(config(&env), before);
    let again = migrate(&env, "file");
    assert_eq!(again.code, 0, "{again:?}");
    assert!(again.stdout.contains("already"), "{again:?}");
    let checked = env.jetond(&["check"]);
    assert_eq!(
        (checked.code, checked.stderr.as_str()),
        (0, ""),
        "{checked:?}"
    );
    env.stop(&mut daemon);
}

#[test]
fn a_migration_that_cannot_be_verified_changes_nothing() {
    let env = TestEnv::with_sandbox(60);
    let Some(mut bus) = Bus::start(&env) else {
        return;
    };
    let unknown = env.jetond(&["migrate", "nobody", "--to", "file"]);
    assert_eq!(unknown.code, 78, "{unknown:?}");
    assert!(
        unknown.stderr.contains("there is no profile nobody"),
        "{unknown:?}"
    );
    env.enrol("research");
    let before = (config(&env), fs::read(env.record("research")).unwrap());
    let assert_unchanged = |what: &str| {
        assert!(before.0 == config(&env), "{what}");
        assert!(
            before.1 == fs::read(env.record("research")).unwrap(),
            "{what}"
        );
        assert!(!intent(&env).exists(), "{what}");
    };
    let refused = migrate(&env, "keyring");
    assert_eq!(refused.code, 78, "no keyring: {refused:?}");
    assert!(refused.stderr.contains("nothing is moved"), "{refused:?}");
    assert_unchanged("no keyring");

    bus.keyring(PASSWORD);
    for (fault, code) in [("status:503", 75), ("status:401", 1)] {
        env.fault(fault);
        let refused = migrate(&env, "keyring");
        assert_eq!(refused.code, code, "{fault}: {refused:?}");
        assert!(refused.stderr.contains("nothing is moved"), "{refused:?}");
        assert_eq!(bus.lookup("research"), "", "{fault}");
        assert_unchanged(fault);
    }
    env.fault("none");
    // An entry of another configuration or another state: in a keyring, only its name distinguishes it.
    let mut store = env.command("secret-tool");
    store.args([
        "store",
        "--label=x",
        "service",
        "jeton",
        "username",
        "research",
    ]);
    let stored = env.finish("secret-tool", store, b"something else", false);
    assert_eq!(stored.code, 0, "{stored:?}");
    let refused = migrate(&env, "keyring");
    assert_eq!(refused.code, 78, "{refused:?}");
    assert_eq!(bus.lookup("research"), "something else");
    assert_unchanged("another credential");
    // The secret would be sent to another address.
    let text = config(&env).replace(&env.sandbox().url(), "http://127.0.0.1:1");
    let right = config(&env);
    write_config(&env, &text);
    let refused = migrate(&env, "keyring");
    assert_eq!(refused.code, 78, "{refused:?}");
    assert!(
        refused.stderr.contains("add research --rebind"),
        "{refused:?}"
    );
    write_config(&env, right);
    assert_unchanged("another address");
}

#[test]
fn an_interrupted_migration_is_reported_and_then_completed() {
    let env = TestEnv::with_sandbox(60);
    let Some(mut bus) = Bus::start(&env) else {
        return;
    };
    bus.keyring(PASSWORD);
    assert_eq!(add(&env, "research", &["--store", "file"]).code, 0);
    let record = fs::read(env.record("research")).unwrap();
    let put_into_keyring = |bytes: &[u8]| {
        let mut store = env.command("secret-tool");
        store.args([
            "store",
            "--label=x",
            "service",
            "jeton",
            "username",
            "research",
        ]);
        let stored = env.finish("secret-tool", store, bytes, false);
        assert_eq!(stored.code, 0, "{stored:?}");
    };
    let restore = || {
        fs::write(env.record("research"), &record).unwrap();
        fs::set_permissions(
            env.record("research"),
            std::os::unix::fs::PermissionsExt::from_mode(0o600),
        )
        .unwrap();
    };
    // Killed before the copy, after it, after the change of the configuration, and after the removal.
    for (at, copied, switched, removed) in [
        ("intent", false, false, false),
        ("copy", true, false, false),
        ("switch", true, true, false),
        ("removal", true, true, true),
    ] {
        for to in ["keyring", "file"] {
            restore();
            begin(&env, "file", "keyring", &record);
            if copied {
                put_into_keyring(&record);
            }
            if switched {
                set_store(&env, "file", "keyring");
            }
            if removed {
                fs::remove_file(env.record("research")).unwrap();
            }
            let checked = env.jetond(&["check"]);
            assert_eq!(checked.code, 0, "{at}: {checked:?}");
            let says = "a migration of research from ";
            let line = "jetond migrate research --to keyring";
            assert!(
                checked.stderr.contains(says) && checked.stderr.contains(line),
                "{checked:?}"
            );
            assert_eq!(
                checked.stderr.lines().count(),
                1,
                "more than one line: {checked:?}"
            );
            let mut daemon = env.start();
            env.token(&daemon, "research");
            env.stop(&mut daemon);
            let log = daemon.log();
            assert!(log.contains(says) && log.contains(line), "{at}: {log}");

            let ended = migrate(&env, to);
            assert_eq!(ended.code, 0, "{at} to {to}: {ended:?}");
            assert!(!intent(&env).exists(), "{at}");
            let is_in_file = to == "file";
            assert_eq!(env.record("research").exists(), is_in_file, "{at} to {to}");
            assert_eq!(
                bus.lookup("research").is_empty(),
                is_in_file,
                "{at} to {to}"
            );
            assert!(config(&env).contains(&format!("store = \"{to}\"")));
            let checked = env.jetond(&["check"]);
            assert_eq!(
                (checked.code, checked.stderr.as_str()),
                (0, ""),
                "{at}: {checked:?}"
            );
            set_store(&env, "keyring", "file");
            let mut clear = env.command("secret-tool");
            clear.args(["clear", "service", "jeton", "username", "research"]);
            let _: Output = env.finish("secret-tool", clear, b"", false);
        }
    }
}

#[test]
fn a_migration_to_encrypted_files_keeps_the_token() {
    let env = TestEnv::with_sandbox(3_600);
    env.enrol("research");
    let refused = migrate(&env, "encrypted-file");
    assert_eq!(refused.code, 78, "there is no recipient: {refused:?}");
    let identity = Identity::generate();
    let recipient = format!(
        "\n[encrypted-file]\nrecipient = \"{}\"\n",
        identity.recipient().as_str()
    );
    let text = config(&env).replace(
        "provider = ",
        "reissue = \"same-until-expiry\"\nprovider = ",
    );
    write_config(&env, text + &recipient);
    let mut daemon = env.start();
    let token = env.token(&daemon, "research");
    let record: serde_json::Value =
        serde_json::from_slice(&fs::read(env.record("research")).unwrap()).unwrap();
    // Writing does not need an unlocked store.
    let moved = migrate(&env, "encrypted-file");
    assert_eq!(moved.code, 0, "{moved:?}");
    assert!(!env.record("research").exists() && !intent(&env).exists());
    assert!(config(&env).contains("store = \"encrypted-file\""));
    let file = env.path("state/jeton/credentials/research.age");
    let opened = identity.open(&fs::read(&file).unwrap(), 1 << 16).unwrap();
    let mut opened: serde_json::Value = serde_json::from_slice(&opened).unwrap();
    assert_eq!(opened["profile"], "research");
    opened.as_object_mut().unwrap().remove("profile");
    assert_eq!(opened, record);
    assert!(env.token(&daemon, "research") == token);
    env.stop(&mut daemon);
    // Reading does need one, and no command can rely on a record that it cannot read.
    let refused = migrate(&env, "file");
    assert_eq!(refused.code, 64, "{refused:?}");
    assert!(file.exists() && !env.record("research").exists());
}
