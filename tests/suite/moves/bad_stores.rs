//! Untrustworthy file stores: readable or writable by other users, truncated, or too new. Also two daemons on one
//! store.

use std::fs::{self, Permissions};
use std::os::unix::fs::{PermissionsExt as _, chown, symlink};

use crate::enrol::write_config;
use crate::support::daemon::wait_until;
use crate::support::{TestEnv, ignored};

/// A name, a function that spoils the record of `research`, and a part of the error message.
type BadRecordCase = (&'static str, fn(&TestEnv), &'static str);

fn bytes(env: &TestEnv) -> Vec<u8> {
    fs::read(env.record("research")).unwrap()
}

fn rewrite(env: &TestEnv, text: &[u8]) {
    fs::write(env.record("research"), text).unwrap();
}

const SPOILED: [BadRecordCase; 5] = [
    (
        "a mode of 0644",
        |env| {
            let mode = Permissions::from_mode(0o644);
            fs::set_permissions(env.record("research"), mode).unwrap();
        },
        "chmod 600",
    ),
    (
        "another owner",
        |env| chown(env.record("research"), Some(4_711), None).unwrap(),
        "4711",
    ),
    (
        "a link",
        |env| {
            let elsewhere = env.path("state/jeton/credentials/elsewhere");
            fs::rename(env.record("research"), &elsewhere).unwrap();
            symlink(elsewhere, env.record("research")).unwrap();
        },
        "link",
    ),
    (
        "cut off",
        |env| rewrite(env, &bytes(env)[..40]),
        "it ends too early",
    ),
    (
        "of a newer version",
        |env| {
            let text = String::from_utf8(bytes(env)).unwrap();
            rewrite(
                env,
                text.replace("\"version\": 2", "\"version\": 4").as_bytes(),
            );
        },
        "of version 4",
    ),
];

#[test]
fn an_untrusted_file_store_is_reported_and_kept() {
    let is_root = rustix::process::geteuid().is_root();
    for (what, spoil, says) in SPOILED {
        if what == "another owner" && !is_root {
            ignored("only root can give a file to another user");
            continue;
        }
        let env = TestEnv::with_sandbox(60);
        env.enrol("research");
        let config = fs::read(env.config()).unwrap();
        spoil(&env);
        let before = bytes(&env);
        let file = env.path("home/x.age");
        let passphrase = env.path("home/passphrase");
        fs::write(&passphrase, "x").unwrap();
        fs::set_permissions(&passphrase, Permissions::from_mode(0o600)).unwrap();
        let requests = env.sandbox().stats().token_requests;
        for args in [
            &["check"][..],
            &["migrate", "research", "--to", "keyring"],
            &[
                "export",
                "research",
                "--to",
                file.to_str().unwrap(),
                "--passphrase-file",
                passphrase.to_str().unwrap(),
            ],
        ] {
            let refused = env.jetond(args);
            assert_eq!(refused.code, 78, "{what}: {args:?}: {refused:?}");
            let is_of_keyring = args[0] == "migrate" && refused.stderr.contains("keyring");
            assert!(
                refused.stderr.contains(says) || is_of_keyring,
                "{what}: {refused:?}"
            );
            assert!(!refused.stderr.contains(env.secret()), "{what}");
        }
        assert!(
            bytes(&env) == before && fs::read(env.config()).unwrap() == config,
            "{what}"
        );
        assert!(!file.exists(), "{what}");
        let mut daemon = env.start();
        let answer = env.get(&daemon, "/v1/profiles/research/token?max_wait=1");
        assert_eq!(answer.status, 503, "{what}: {answer:?}");
        env.stop(&mut daemon);
        assert_eq!(
            env.sandbox().stats().token_requests,
            requests,
            "{what}: no token request is sent"
        );
    }
}

#[test]
fn two_daemons_on_one_store_both_load_a_replaced_credential() {
    let mut env = TestEnv::with_sandbox(3_600);
    env.enrol("research");
    let mut first = env.start();
    let (socket, admin) = (
        env.path("run/second/s.sock"),
        env.path("run/second-admin/a.sock"),
    );
    let args = [
        "--socket",
        socket.to_str().unwrap(),
        "--admin-socket",
        admin.to_str().unwrap(),
    ];
    let mut second = env.spawn(&args);
    (second.socket, second.admin) = (socket, admin);
    wait_until("the second daemon", || {
        crate::support::daemon::accepts(&second.socket)
    });
    let before = [
        env.token(&first, "research"),
        env.token(&second, "research"),
    ];
    // A store is locked only during writes, so it and the configuration can be changed while both daemons run.
    let other = env.path("config/jeton/other.toml");
    fs::copy(env.config(), &other).unwrap();
    let rebound = env.jetond(&["add", "research", "--rebind"]);
    assert_eq!(rebound.code, 0, "{rebound:?}");
    for daemon in [&first, &second] {
        assert!(
            env.sandbox()
                .issued()
                .contains(&env.token(daemon, "research"))
        );
    }
    let reloaded = env.request(&second.admin, "POST", "/v1/reload", &[], b"");
    assert_eq!(reloaded.status, 200, "{reloaded:?}");
    assert!(env.sandbox().issued().contains(&before[0]));
    // The command tells the first daemon alone. The second one watches the store.
    env.replace_secret();
    let secret = env.secret_file();
    let secret = ["--client-secret-file", secret.to_str().unwrap()];
    let rebound = env.jetond(&[&["add", "research", "--rebind"], &secret[..]].concat());
    assert_eq!(rebound.code, 0, "{rebound:?}");
    for daemon in [&mut first, &mut second] {
        daemon.wait_for_log("the credential was replaced");
    }
    // One daemon forgets the profile when its configuration changes. The other one learns of it at a reload.
    let removed = env.jetond(&["remove", "research", "--yes"]);
    assert_eq!(removed.code, 0, "{removed:?}");
    assert_eq!(
        env.get(&first, "/v1/profiles/research/token").code(),
        "unknown_profile"
    );
    // The second daemon's token stays valid until the reload.
    assert_eq!(env.get(&second, "/v1/profiles/research/token").status, 200);
    write_config(&env, fs::read(env.config()).unwrap());
    let reloaded = env.request(&second.admin, "POST", "/v1/reload", &[], b"");
    assert_eq!(reloaded.status, 200, "{reloaded:?}");
    assert_eq!(
        env.get(&second, "/v1/profiles/research/token").code(),
        "unknown_profile"
    );
    env.stop(&mut second);
    env.stop(&mut first);
}
