//! Verbs that need no daemon.

use std::fs::File;
use std::os::unix::net::UnixListener;

use super::run::{assert_refusal, jeton, outcome};

#[test]
fn help_and_version_need_no_daemon() {
    for verb in ["help", "--help", "-h"] {
        let (code, stdout, stderr) = outcome(&jeton().args([verb, "token"]).output().unwrap());
        assert_eq!((code, stderr.as_str()), (0, ""));
        for word in [
            "token",
            "header",
            "status",
            "ready",
            "refresh",
            "reload",
            "exec",
            "version",
            "help",
            "--socket",
            "--timeout",
        ] {
            assert!(stdout.contains(word), "{word}");
        }
        for line in [
            "   0  ", "   1  ", "  64  ", "  69  ", "  75  ", "  77  ", "  78  ",
        ] {
            assert!(stdout.contains(line), "{line}");
        }
        assert!(stdout.lines().all(|line| line.chars().count() <= 80));
    }
    for verb in ["version", "--version", "-V"] {
        let expected = concat!("jeton ", env!("CARGO_PKG_VERSION"), "\n");
        assert_eq!(
            outcome(&jeton().arg(verb).output().unwrap()),
            (0, expected.into(), String::new())
        );
    }
}

#[test]
fn help_that_cannot_be_printed_is_a_failure() {
    for args in [&["help"][..], &["version"], &["exec", "--help"]] {
        let full = File::options().write(true).open("/dev/full").unwrap();
        assert_refusal(
            &jeton().args(args).stdout(full).output().unwrap(),
            1,
            "cannot write to standard output: No space left on device",
        );
    }
}

#[test]
fn exec_passes_sigpipe_to_the_command_as_the_companion_inherited_it() {
    // SIGPIPE is the 13th bit.
    let script = "grep SigIgn /proc/self/status";
    let folder = tempfile::tempdir().unwrap();
    let socket = folder.path().join("s");
    // The socket only has to exist.
    let _daemon = UnixListener::bind(&socket).unwrap();
    for (trap, ignored) in [("true", false), ("trap '' PIPE", true)] {
        let line = format!("{trap}; exec \"$0\" exec -- sh -c '{script}'");
        let mut command = super::run::program("/bin/sh");
        command.env("JETON_SOCKET", &socket);
        command.args(["-c", &line, env!("CARGO_BIN_EXE_jeton")]);
        let (code, stdout, stderr) = outcome(&command.output().unwrap());
        assert_eq!((code, stderr.as_str()), (0, ""), "{stdout}");
        let mask = stdout.trim().rsplit('\t').next().unwrap();
        let mask = u64::from_str_radix(mask, 16).unwrap();
        assert_eq!(mask & (1 << 12) != 0, ignored, "{trap}: {stdout}");
    }
}

#[test]
fn options_may_stand_before_help() {
    let (code, stdout, _) = outcome(
        &jeton()
            .args(["--socket", "/nowhere", "help"])
            .output()
            .unwrap(),
    );
    assert_eq!((code, stdout.starts_with("jeton - ")), (0, true));
}

#[test]
fn no_arguments_print_the_usage() {
    let (code, stdout, stderr) = outcome(&jeton().output().unwrap());
    assert_eq!(
        (code, stdout.as_str(), stderr.contains("usage: jeton")),
        (64, "", true)
    );
}
