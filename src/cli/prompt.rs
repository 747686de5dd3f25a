//! Questions to a person: a line with echo, a secret without, or a client ID and its secret in one paste.

mod client;
mod conversation;
mod editor;
mod pasted;
mod question;
mod signals;
mod terminal;

use std::fs::File;
use std::io::{self, IsTerminal, Read};
use std::os::unix::fs::{FileTypeExt as _, MetadataExt};
use std::path::Path;

use zeroize::Zeroizing;

pub(super) use self::client::{client, client_id, client_secret};
pub(super) use self::question::secret;
use self::question::text;
pub(super) use self::question::{confirmed, line};
use self::terminal::MAX_SECRET;
use super::output::{Exit, fail, print_note};

/// Whether there is a person to ask.
pub(super) fn possible() -> bool {
    io::stdin().is_terminal()
}

/// Reads the secret of this client from standard input; a terminal does not show it.
pub(super) fn secret_from_stdin(client_id: &str) -> Result<Zeroizing<String>, Exit> {
    if possible() {
        return client_secret("Client secret (not shown)", client_id);
    }
    read(io::stdin().lock(), "standard input")
}

/// Opens a file that contains a secret. Refuses a FIFO, since opening it would wait for a writer, except for one that
/// is open already, such as a shell's `<(...)`.
pub(super) fn open_file(path: &Path) -> io::Result<File> {
    let is_open = ["/dev/fd", "/dev/stdin", "/proc"]
        .iter()
        .any(|folder| path.starts_with(folder));
    if !is_open && path.metadata()?.file_type().is_fifo() {
        return Err(io::Error::other("it is not a regular file"));
    }
    File::open(path)
}

/// Reads a secret from a file, and warns if other users can read the file too.
pub(super) fn secret_from_file(path: &Path) -> Result<Zeroizing<String>, Exit> {
    let shown = path.display();
    // The person may have given the secret itself in place of its file.
    let unreadable = |e: io::Error| {
        fail(
            Exit::Config,
            format!("the file given by --client-secret-file cannot be read: {e}"),
        )
    };
    let file = open_file(path).map_err(unreadable)?;
    let meta = file.metadata().map_err(unreadable)?;
    if meta.is_file() && meta.mode() & 0o077 != 0 {
        print_note(format!(
            "warning: others can read {shown}; remove it, or run: chmod 600 {shown}"
        ));
    }
    read(file, &shown.to_string())
}

/// Reads a secret. One trailing line end is the editor's, not the secret's.
fn read(source: impl Read, name: &str) -> Result<Zeroizing<String>, Exit> {
    // Allocated at the largest size, so that no growth leaves a copy behind.
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
