//! The companion with a stack of 64 KiB, as services and containers set it.

use std::process::Command;

use tempfile::TempDir;

use super::daemon::{ConnectionStep, ScriptedDaemon, ok};
use super::run::{feed, outcome, program};
use crate::support::scripts::write_script;

/// The companion with a stack of 64 KiB.
fn jeton(daemon: &ScriptedDaemon, args: &[&str]) -> Command {
    let mut command = program("/bin/sh");
    command
        .args(["-c", "ulimit -s 64; exec \"$0\" \"$@\""])
        .arg(env!("CARGO_BIN_EXE_jeton"))
        .args(args)
        .env("JETON_SOCKET", &daemon.socket);
    command
}

#[test]
fn exec_needs_no_large_stack() {
    let folder = TempDir::new().unwrap();
    let script = folder.path().join("script");
    // Without a `#!` line: running such a script through the shell takes a second list of arguments.
    write_script(&script, "echo \"$T\"");
    for token in [b"tok\n".as_slice(), &[b'x'; 16_000]] {
        for args in [
            &["/bin/sh", "-c", "echo \"$T\""][..],
            &[script.to_str().unwrap()],
        ] {
            let daemon = ScriptedDaemon::new(vec![
                ConnectionStep::Answer(ok(&[(1, token), (3, &[0])])),
                ConnectionStep::Close,
            ]);
            let mut command = jeton(&daemon, &["exec", "--env", "T", "p", "--"]);
            let output = command.args(args).output().unwrap();
            let (code, stdout, stderr) = outcome(&output);
            assert_eq!((code, stderr.as_str()), (0, ""), "{args:?}");
            assert_eq!(stdout.trim_end().as_bytes(), token.trim_ascii_end());
            daemon.asked_once();
        }
    }
}

#[test]
fn other_verbs_need_no_large_stack() {
    for (args, input) in [
        (&["token"][..], false),
        (&["help"], false),
        (&["exec", "--help"], false),
        (&["reject"], true),
    ] {
        let mut steps = vec![ConnectionStep::Answer(ok(&[(1, b"text\n"), (3, &[0])]))];
        if input {
            steps.insert(0, ConnectionStep::Answer(ok(&[(4, &[0])])));
        }
        let daemon = ScriptedDaemon::new(steps);
        let output = feed(&mut jeton(&daemon, args), &[b'x'; 200_000]);
        assert_eq!(
            outcome(&output),
            (0, "text\n".into(), String::new()),
            "{args:?}"
        );
    }
}
