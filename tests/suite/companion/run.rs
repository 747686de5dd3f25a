//! Helpers that start the companion.

use std::ffi::OsStr;
use std::io::Write;
use std::path::Path;
use std::process::{Command, Output, Stdio};

/// The companion, with an empty environment and an empty standard input.
pub(super) fn jeton() -> Command {
    program(env!("CARGO_BIN_EXE_jeton"))
}

pub(super) fn program(path: impl AsRef<OsStr>) -> Command {
    let mut command = Command::new(path);
    command
        .env_clear()
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    command
}

/// The companion, for a daemon at `socket`.
pub(super) fn jeton_at(socket: &Path, args: &[&str]) -> Command {
    let mut command = jeton();
    command.env("JETON_SOCKET", socket).args(args);
    command
}

/// Installs a program with install(1) instead of writing it here. A child that another thread starts during the write
/// would hold the file open for writing, and such a file cannot be executed.
pub(super) fn install(source: &Path, target: &Path, mode: &str) {
    let mut command = program("/usr/bin/install");
    let status = command
        .args(["-D", "-m", mode])
        .args([source, target])
        .status()
        .unwrap();
    assert!(status.success());
}

/// Runs the command with this standard input. A command that does not read it is not a failure.
pub(super) fn feed(command: &mut Command, input: &[u8]) -> Output {
    let mut child = command.stdin(Stdio::piped()).spawn().unwrap();
    let _ = child.stdin.take().unwrap().write_all(input);
    child.wait_with_output().unwrap()
}

/// Returns the exit code, standard output and standard error.
pub(super) fn outcome(output: &Output) -> (i32, String, String) {
    let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).unwrap();
    (
        output.status.code().unwrap(),
        text(&output.stdout),
        text(&output.stderr),
    )
}

/// Asserts the exit code, nothing on standard output, and one line on standard error that contains `part`.
#[track_caller]
pub(super) fn assert_refusal(output: &Output, code: i32, part: &str) {
    let (exit, stdout, stderr) = outcome(output);
    assert_eq!((exit, stdout.as_str()), (code, ""), "{stderr}");
    assert_line(&stderr, part);
}

#[track_caller]
pub(super) fn assert_line(stderr: &str, part: &str) {
    assert!(
        stderr.starts_with("jeton: ") && stderr.ends_with('\n') && stderr.lines().count() == 1,
        "{stderr:?}"
    );
    assert!(stderr.contains(part), "{stderr:?} does not say {part:?}");
}
