//! A file of a tool as it stood there before a change, byte by byte: the tools' own commands lose comments and order.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use base64::prelude::{BASE64_STANDARD, Engine as _};
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use super::recipe::Refusal;
use crate::folder::{Attributes, Folder};

/// The largest file that is kept, in bytes.
const LARGEST: u64 = 1 << 20;

/// A file of the tool.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct KeptFile {
    path: PathBuf,
    /// Its bytes in base64 as it was before; `None` if there was none.
    bytes: Option<String>,
    /// Of the file as the last change of ours left it. `None` once the file was changed by others in between, or while a
    /// change of ours has not ended: then the bytes must not be put back.
    left: Option<Seen>,
}

/// A file as it was seen.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Seen {
    /// Of its bytes, in hexadecimal digits; `None` if there is none.
    sha256: Option<String>,
}

// === impl KeptFile ===

impl KeptFile {
    /// Keeps the file as it is now.
    ///
    /// # Errors
    /// A [`Refusal`] if it cannot be read, or is too large to be kept.
    pub(super) fn of(path: &Path) -> Result<Self, Refusal> {
        let bytes = read(path)?.map(|bytes| BASE64_STANDARD.encode(bytes));
        Ok(Self {
            path: path.to_owned(),
            bytes,
            left: None,
        })
    }

    /// Takes note of the file as a change of ours has left it.
    ///
    /// # Errors
    /// A [`Refusal`] if it cannot be read.
    pub(super) fn leave(&mut self) -> Result<(), Refusal> {
        self.left = Some(Seen::at(&self.path)?);
        Ok(())
    }

    /// Takes note that others have changed the file: its bytes must not be put back any more.
    pub(super) fn forget_left(&mut self) {
        self.left = None;
    }

    /// Whether the bytes may be put back as long as the file is as it was left.
    pub(super) const fn was_left(&self) -> bool {
        self.left.is_some()
    }

    /// Whether the file is as the last change of ours has left it.
    ///
    /// # Errors
    /// A [`Refusal`] if it cannot be read.
    pub(super) fn is_as_left(&self) -> Result<bool, Refusal> {
        Ok(self.left == Some(Seen::at(&self.path)?))
    }

    /// Whether the file is as it was before.
    ///
    /// # Errors
    /// A [`Refusal`] if it cannot be read.
    pub(super) fn is_as_before(&self) -> Result<bool, Refusal> {
        Ok(read(&self.path)? == self.before()?)
    }

    fn before(&self) -> Result<Option<Vec<u8>>, Refusal> {
        let decode = |text: &String| BASE64_STANDARD.decode(text);
        let bytes = self.bytes.as_ref().map(decode).transpose();
        bytes.map_err(|_| Refusal::config("what was kept of a file cannot be read"))
    }

    /// Puts the file back as it was before. Returns what was done, unless it was so already.
    ///
    /// # Errors
    /// A [`Refusal`] if it cannot be written or removed.
    pub(super) fn put_back(&self) -> Result<Option<String>, Refusal> {
        if self.is_as_before()? {
            return Ok(None);
        }
        let path = self.path.display();
        let Some(bytes) = self.before()? else {
            let removed = fs::remove_file(&self.path);
            removed.map_err(|error| Refusal::io(&self.path, "remove it", &error))?;
            return Ok(Some(format!(
                "{path}, which was not there before, is removed"
            )));
        };
        // A link, as to a folder of dotfiles, stays one.
        let real = fs::canonicalize(&self.path);
        let real = real.map_err(|error| Refusal::io(&self.path, "find it", &error))?;
        let put = || {
            let stat = rustix::fs::stat(&real)?;
            let folder = Folder::open(real.parent().unwrap_or(Path::new("/")))?;
            #[allow(
                clippy::unnecessary_cast,
                clippy::cast_possible_truncation,
                reason = "the field's width differs between systems; the mode has 12 bits"
            )]
            let attributes = Attributes {
                owner: stat.st_uid,
                group: Some(stat.st_gid),
                mode: (stat.st_mode as u32 & 0o7777) as u16,
            };
            let name = real.file_name().unwrap_or_default();
            let replaced = folder.replace(name, &bytes, attributes);
            replaced.map_err(|error| error.source)
        };
        put().map_err(|error: io::Error| Refusal::io(&self.path, "put it back", &error))?;
        Ok(Some(format!("{path} is as it was before")))
    }
}

// === impl Seen ===

impl Seen {
    fn at(path: &Path) -> Result<Self, Refusal> {
        let sha256 = read(path)?.map(|bytes| hash(&bytes));
        Ok(Self { sha256 })
    }
}

/// The bytes of a file; `None` if there is none.
fn read(path: &Path) -> Result<Option<Vec<u8>>, Refusal> {
    let meta = match path.metadata() {
        Ok(meta) => meta,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(Refusal::io(path, "read it", &error)),
    };
    if !meta.is_file() || meta.len() > LARGEST {
        let path = path.display();
        return Err(Refusal::config(&format!(
            "{path} is no regular file of at most {LARGEST} bytes, so what stands there cannot be kept; paste the lines yourself"
        )));
    }
    let bytes = fs::read(path).map_err(|error| Refusal::io(path, "read it", &error))?;
    Ok(Some(bytes))
}

/// A hash in hexadecimal digits.
pub(super) fn hash(bytes: &[u8]) -> String {
    let digits = Sha256::digest(bytes);
    digits.iter().map(|byte| format!("{byte:02x}")).collect()
}
