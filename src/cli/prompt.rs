//! Asks a person: a line with echo, a secret without.

use std::fs::File;
use std::io::{self, BufRead, IsTerminal, Read, Write};
use std::os::unix::fs::MetadataExt;
use std::path::Path;

use zeroize::Zeroizing;

use super::output::{Exit, fail, tell};

/// The largest secret that is read, in bytes: more than any credential that is taken.
const MAX_SECRET: u64 = 4_096;

/// Whether there is a person to ask.
pub(super) fn possible() -> bool {
    io::stdin().is_terminal()
}

/// Asks for a line; the answer is trimmed.
pub(super) fn line(question: &str) -> Result<String, Exit> {
    let mut answer = String::new();
    let mut terminal = io::stderr().lock();
    write!(terminal, "{question}: ")
        .and_then(|()| terminal.flush())
        .and_then(|()| io::stdin().lock().read_line(&mut answer))
        .map_err(|e| fail(Exit::Failed, format!("the terminal cannot be read: {e}")))?;
    Ok(answer.trim().to_owned())
}

/// Asks for a secret, without echo.
pub(super) fn secret(question: &str) -> Result<Zeroizing<String>, Exit> {
    rpassword::prompt_password(format!("{question}: "))
        .map(Zeroizing::new)
        .map_err(|e| fail(Exit::Failed, format!("the terminal cannot be read: {e}")))
}

/// Reads a secret from standard input.
pub(super) fn secret_from_stdin() -> Result<Zeroizing<String>, Exit> {
    read(io::stdin().lock(), "standard input")
}

/// Reads a secret from a file, and says so when others can read it too.
pub(super) fn secret_from_file(path: &Path) -> Result<Zeroizing<String>, Exit> {
    let shown = path.display();
    // Somebody may have given the secret itself in the place of its file.
    let unreadable = |e: io::Error| {
        fail(
            Exit::Config,
            format!("the file given by --client-secret-file cannot be read: {e}"),
        )
    };
    let file = File::open(path).map_err(unreadable)?;
    let meta = file.metadata().map_err(unreadable)?;
    if meta.is_file() && meta.mode() & 0o077 != 0 {
        tell(format!(
            "warning: others can read {shown}; remove it, or run: chmod 600 {shown}"
        ));
    }
    read(file, &shown.to_string())
}

/// One trailing line end is the editor's and not the secret's.
fn read(source: impl Read, name: &str) -> Result<Zeroizing<String>, Exit> {
    let mut text = Zeroizing::new(String::new());
    source
        .take(MAX_SECRET)
        .read_to_string(&mut text)
        .map_err(|e| {
            fail(
                Exit::Config,
                format!("the secret cannot be read from {name}: {e}"),
            )
        })?;
    let end = text.strip_suffix('\n').map_or(text.len(), |line| {
        line.strip_suffix('\r').unwrap_or(line).len()
    });
    text.truncate(end);
    Ok(text)
}
