//! Scripts that a test creates and runs.

use std::io::Write;
use std::path::Path;
use std::process::{Command, Stdio};

/// Writes a script that its owner can run, with install(1). The system refuses to run a file that is open for writing,
/// and a child of another test could hold this one open between its fork and its exec.
pub(crate) fn write_script(path: &Path, text: &str) {
    let mut install = Command::new("install")
        .args(["-m", "755", "/dev/stdin"])
        .arg(path)
        .stdin(Stdio::piped())
        .spawn()
        .unwrap();
    let mut stdin = install.stdin.take().unwrap();
    stdin.write_all(text.as_bytes()).unwrap();
    drop(stdin);
    assert!(install.wait().unwrap().success());
}
