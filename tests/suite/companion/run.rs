//! Starting the companion.

use std::ffi::OsStr;
use std::io::Write;
use std::path::Path;
use std::process::{Command, Output, Stdio};

/// The companion, with an empty environment and empty standard input.
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

/// Puts a program into a file, by a program of its own: were it written here, another thread could start a child just then, which
/// would hold the file open for writing, and a file that is being written cannot be run.
pub(super) fn install(source: &Path, target: &Path, mode: &str) {
    let mut command = program("/usr/bin/install");
    let status = command
        .args(["-D", "-m", mode])
        .args([source, target])
        .status()
        .unwrap();
    assert!(status.success());
}

/// Runs it with this standard input; a child that does not read it is no failure.
pub(super) fn feed(command: &mut Command, input: &[u8]) -> Output {
    let mut child = command.stdin(Stdio::piped()).spawn().unwrap();
    let _ = child.stdin.take().unwrap().write_all(input);
    child.wait_with_output().unwrap()
}

/// Exit code, standard output, standard error.
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
