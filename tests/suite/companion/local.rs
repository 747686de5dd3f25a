//! What needs no daemon.

use super::run::{jeton, outcome};

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
fn no_arguments_are_usage() {
    let (code, stdout, stderr) = outcome(&jeton().output().unwrap());
    assert_eq!(
        (code, stdout.as_str(), stderr.contains("usage: jeton")),
        (64, "", true)
    );
}
