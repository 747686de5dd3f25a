//! The passphrase of a file: typed without echo, or read from a file.

use std::fs::File;
use std::io::{self, Read as _};
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;

use zeroize::Zeroizing;

use super::super::output::{Exit, fail, tell};
use super::super::prompt;
use crate::age_file::{InvalidPassphrase, MAX_PASSPHRASE_LEN, Passphrase};

/// A passphrase for a new file: typed twice.
pub(super) fn new(from: Option<&Path>, file: &Path) -> Result<Passphrase, Exit> {
    if let Some(path) = from {
        return read(path);
    }
    let shown = file.display();
    let first = typed(&format!("New passphrase for {shown} (not shown)"))?;
    let second = typed("The same again")?;
    if first.is(&second) {
        return Ok(first);
    }
    let what = "nothing is done: the two passphrases differ; run this again";
    Err(fail(Exit::Usage, what))
}

/// The passphrase of a file that is there.
pub(in super::super) fn known(from: Option<&Path>, file: &Path) -> Result<Passphrase, Exit> {
    match from {
        Some(path) => read(path),
        None => typed(&format!("Passphrase for {} (not shown)", file.display())),
    }
}

fn typed(question: &str) -> Result<Passphrase, Exit> {
    if !prompt::possible() {
        let what = "nothing is done: there is no terminal to ask for the passphrase on; give --passphrase-file PATH";
        return Err(fail(Exit::Usage, what));
    }
    let text = prompt::secret(question)?;
    Passphrase::parse(&text).map_err(refuse)
}

/// Reads a passphrase from a file; one trailing line end is the editor's.
fn read(path: &Path) -> Result<Passphrase, Exit> {
    let shown = path.display();
    let unreadable = |error: io::Error| {
        let what = format!("the passphrase cannot be read from {shown}: {error}");
        fail(Exit::Config, what)
    };
    let file = File::open(path).map_err(unreadable)?;
    let meta = file.metadata().map_err(unreadable)?;
    if meta.is_file() && meta.mode() & 0o077 != 0 {
        tell(format!(
            "warning: others can read {shown}; remove it, or run: chmod 600 {shown}"
        ));
    }
    // As large as it can get, so that no growth leaves a copy behind.
    let limit = MAX_PASSPHRASE_LEN + 3;
    let mut bytes = Zeroizing::new(Vec::with_capacity(limit + 1));
    let read = file.take(limit as u64).read_to_end(&mut bytes);
    read.map_err(unreadable)?;
    let text = std::str::from_utf8(&bytes);
    let text = text.map_err(|_| unreadable(io::ErrorKind::InvalidData.into()))?;
    let line = text.strip_suffix('\n').unwrap_or(text);
    let line = match text.len() - line.len() {
        0 => line,
        _ => line.strip_suffix('\r').unwrap_or(line),
    };
    Passphrase::parse(line).map_err(refuse)
}

fn refuse(why: InvalidPassphrase) -> Exit {
    fail(Exit::Usage, format!("the passphrase cannot be used: {why}"))
}
