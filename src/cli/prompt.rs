//! Asks a person: a line with echo, a secret without.

mod signals;
mod terminal;

use std::fs::File;
use std::io::{self, IsTerminal, Read};
use std::os::unix::fs::MetadataExt;
use std::path::Path;

use zeroize::Zeroizing;

use self::terminal::{Echo, MAX_SECRET};
use super::output::{Exit, fail, tell};
use crate::process::logging;

/// Whether there is a person to ask.
pub(super) fn possible() -> bool {
    io::stdin().is_terminal()
}

/// Asks for a line; the answer is trimmed.
pub(super) fn line(question: &str) -> Result<String, Exit> {
    let answer = typed(question, Echo::Shown)?;
    Ok(text(&answer, "what was typed")?.trim().to_owned())
}

/// Asks whether something is to be done; whatever is not a yes is a no.
pub(super) fn confirmed(question: &str) -> Result<bool, Exit> {
    let answer = line(&format!("{question} [y/N]"))?;
    Ok(["y", "yes"].contains(&answer.to_ascii_lowercase().as_str()))
}

/// Asks for a secret, without echo.
pub(super) fn secret(question: &str) -> Result<Zeroizing<String>, Exit> {
    let answer = typed(question, Echo::Hidden)?;
    Ok(Zeroizing::new(text(&answer, "what was typed")?.to_owned()))
}

fn typed(question: &str, echo: Echo) -> Result<Zeroizing<Vec<u8>>, Exit> {
    match terminal::ask(&logging::printable(question), echo) {
        Ok(Some(line)) => Ok(line),
        Ok(None) => Err(fail(Exit::Usage, "nothing was typed, so nothing is done")),
        Err(error) if error.kind() == io::ErrorKind::InvalidData => Err(fail(Exit::Usage, error)),
        Err(error) => Err(fail(
            Exit::Failed,
            format!("the terminal cannot be read: {error}"),
        )),
    }
}

fn text<'a>(bytes: &'a [u8], what: &str) -> Result<&'a str, Exit> {
    std::str::from_utf8(bytes).map_err(|_| fail(Exit::Usage, format!("{what} is not text")))
}

/// Reads a secret from standard input; a terminal does not show it.
pub(super) fn secret_from_stdin() -> Result<Zeroizing<String>, Exit> {
    if possible() {
        return secret("Client secret (not shown)");
    }
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
    // As large as it can get, so that no growth leaves a copy behind.
    let mut bytes = Zeroizing::new(Vec::with_capacity(MAX_SECRET as usize + 1));
    source
        .take(MAX_SECRET)
        .read_to_end(&mut bytes)
        .map_err(|e| {
            fail(
                Exit::Config,
                format!("the client secret cannot be read from {name}: {e}"),
            )
        })?;
    let text = text(&bytes, &format!("the client secret in {name}"))?;
    let line = text.strip_suffix('\n').unwrap_or(text);
    let line = match text.len() - line.len() {
        0 => line,
        _ => line.strip_suffix('\r').unwrap_or(line),
    };
    Ok(Zeroizing::new(line.to_owned()))
}
