//! What `jetond add` says of an issuer whose certificate is not right, and of roots that cannot be used: nothing is
//! written, and nothing was sent.

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt as _;

use jetond::sandbox::Line;

use crate::support::TestEnv;

/// A place whose sandbox has TLS, and the file with its CA.
fn encrypted() -> (TestEnv, String) {
    let mut env = TestEnv::new();
    env.add_sandbox_that(Line::V2_24, 600, |options| options.tls = true);
    let ca = env.ca_file(0).unwrap();
    (env, ca)
}

/// It is refused, in these words, before anything was sent or written.
fn refused(env: &TestEnv, more: &[&str], code: i32, why: &str) {
    let added = env.try_enrol_with("research", &env.sandbox().url(), more);
    assert_eq!((added.code, added.stdout.as_str()), (code, ""), "{added:?}");
    assert!(added.stderr.contains(why), "{why}: {added:?}");
    assert!(!env.record("research").exists() && !env.config().exists());
    assert_eq!(env.sandbox().stats().token_requests, 0, "{why}");
}

#[test]
fn a_certificate_that_is_not_right_is_told_apart_and_gets_no_secret() {
    let (env, ca) = encrypted();
    let trust = ["--ca-file", ca.as_str()];
    for (fault, code, why) in [
        ("tls:wrong-name", 78, "is for another name"),
        ("tls:expired", 78, "has expired (on "),
        ("tls:self-signed", 78, "is not trusted"),
        ("tls:hang", 75, "no connection to https://127.0.0.1:"),
    ] {
        env.fault(fault);
        refused(&env, &trust, code, why);
    }
    env.fault("none");
    let added = env.try_enrol_with("research", &env.sandbox().url(), &trust);
    assert_eq!(added.code, 0, "{added:?}");
    let mut daemon = env.start();
    let token = env.token(&daemon, "research");
    assert_eq!(env.sandbox().issued().last(), Some(&token));
    env.stop(&mut daemon);
}

#[test]
fn without_its_ca_the_sandbox_is_not_trusted() {
    let (mut env, _) = encrypted();
    let other = env.add_sandbox_that(Line::V2_24, 600, |options| options.tls = true);
    let other = env.ca_file(other).unwrap();
    refused(&env, &["--ca-file", &other], 78, "is not trusted");
    assert_eq!(env.sandbox().stats().token_requests, 0);
}

#[test]
fn a_ca_file_that_cannot_be_used_is_told_by_its_name() {
    let (env, ca) = encrypted();
    let pem = fs::read_to_string(&ca).unwrap();
    let key = include_str!("../fixtures/tls/server.key");
    let der = b"\x30\x82\x01\x8f\x30\x82\x01\x34";
    let files: [(&str, &[u8], &str); 4] = [
        ("empty", b"", "holds no certificate in PEM form"),
        ("key", key.as_bytes(), "holds no certificate in PEM form"),
        ("der", der, "holds no certificate in PEM form"),
        ("cut", &pem.as_bytes()[..100], "is not in PEM form"),
    ];
    for (name, content, why) in files {
        let path = env.path(name);
        fs::write(&path, content).unwrap();
        let path = path.to_str().unwrap();
        refused(&env, &["--ca-file", path], 78, &format!("{path} {why}"));
    }
    // What cannot be read at all cannot be bound to either.
    let folder = env.path("tmp");
    refused(
        &env,
        &["--ca-file", folder.to_str().unwrap()],
        78,
        "not a file",
    );
    let absent = env.path("absent");
    refused(
        &env,
        &["--ca-file", absent.to_str().unwrap()],
        78,
        "No such",
    );
    // Root reads what nobody may read.
    if !rustix::process::geteuid().is_root() {
        fs::set_permissions(&ca, Permissions::from_mode(0o000)).unwrap();
        refused(&env, &["--ca-file", &ca], 78, "Permission denied");
    }
}
