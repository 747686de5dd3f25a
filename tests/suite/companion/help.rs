//! Help: the daemon's if one answers, otherwise the companion's own.

use std::path::Path;

use super::daemon::{ConnectionStep, ScriptedDaemon, ok};
use super::run::{assert_refusal, jeton_at, outcome};
use crate::support::env::TestEnv;

const OWN: &str = include_str!("../../../src/bin/jeton/help.txt");

const CALLS: [&[&str]; 5] = [
    &["help"],
    &["--help"],
    &["-h"],
    &["help", "token"],
    &["exec", "--help"],
];

#[test]
fn the_daemons_help_is_shown() {
    for args in CALLS {
        let daemon = ScriptedDaemon::answering(&[(1, b"of the "), (1, b"daemon\n"), (3, &[0])]);
        let output = jeton_at(&daemon.socket, args).output().unwrap();
        assert_eq!(
            outcome(&output),
            (0, "of the daemon\n".into(), String::new()),
            "{args:?}"
        );
        assert_eq!(daemon.asked_once().words(), [&["jeton"], args].concat());
    }
}

#[test]
fn without_the_daemons_help_the_companions_own_is_shown() {
    let own = (0, OWN.to_owned(), String::new());
    for args in CALLS {
        let output = jeton_at(Path::new("/nowhere"), args).output().unwrap();
        assert_eq!(outcome(&output), own, "{args:?}");
    }
    let refused = b"HTTP/1.1 403 Forbidden\r\n\r\n{\"code\":\"forbidden\",\"detail\":\"no\"}";
    for step in [
        // A daemon without help.
        ConnectionStep::Answer(ok(&[(2, b"jeton: unknown\n"), (3, &[64])])),
        ConnectionStep::Answer(ok(&[(3, &[0])])),
        ConnectionStep::Answer(ok(&[(1, b"half"), (2, b"x")])),
        ConnectionStep::Answer(ok(&[(1, &[b'x'; 40_000]), (3, &[0])])),
        ConnectionStep::Answer(refused.to_vec()),
        ConnectionStep::Answer(b"SSH-2.0-OpenSSH\r\n\r\n".to_vec()),
        ConnectionStep::Hold(vec![]),
    ] {
        let daemon = ScriptedDaemon::new(vec![step]);
        let output = jeton_at(&daemon.socket, &["help"]).output().unwrap();
        assert_eq!(outcome(&output), own);
    }
}

#[test]
fn help_for_an_unknown_verb_prints_the_daemons_refusal() {
    let refusal = || ConnectionStep::Answer(ok(&[(2, b"jeton: unknown\n"), (3, &[64])]));
    let daemon = ScriptedDaemon::new(vec![refusal(), refusal()]);
    let output = jeton_at(&daemon.socket, &["help", "tokn"])
        .output()
        .unwrap();
    assert_refusal(&output, 64, "unknown");
}

#[test]
fn help_and_usage_wait_two_seconds_for_the_daemon() {
    for args in [&["help"][..], &["token", "--help"], &["watch", "-h"]] {
        let daemon = ScriptedDaemon::answering(&[(1, b"usage\n"), (3, &[0])]);
        jeton_at(&daemon.socket, args).output().unwrap();
        let deadline = daemon.asked_once().deadline().unwrap();
        assert!(deadline <= 2_000, "{args:?}: {deadline}");
    }
}

#[test]
fn the_usage_of_reload_needs_no_admin_socket() {
    let env = TestEnv::with_sandbox(600);
    let daemon = env.start();
    let output = jeton_at(&daemon.socket, &["reload", "--help"])
        .env("JETON_ADMIN_SOCKET", "/nowhere/admin.sock")
        .output()
        .unwrap();
    let (code, stdout, stderr) = outcome(&output);
    assert_eq!((code, &*stderr), (0, ""));
    assert!(stdout.starts_with("usage: jeton reload"), "{stdout}");
}

#[test]
fn the_usage_of_a_verb_needs_a_daemon() {
    for args in [
        &["token", "--help"][..],
        &["status", "-h"],
        &["ready", "--help"],
        &["watch", "--help"],
        &["reject", "--help"],
        &["reload", "--help"],
        &["version", "--help"],
        &["no-such-verb", "--help"],
    ] {
        let socket = Path::new("/nowhere/jeton/jeton.sock");
        let output = jeton_at(socket, args).output().unwrap();
        assert_refusal(&output, 69, "");
    }
}
