//! A copy of a tool's file before a change, byte by byte: the tools' own commands lose comments and order.

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
    /// The former content in base64; `None` if there was no file.
    bytes: Option<String>,
    /// The file as our last change left it. `None` if others have changed it meanwhile, or while a change of ours is
    /// unfinished: then the former content must not be restored.
    left: Option<FileState>,
}

/// The observed state of a file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct FileState {
    /// The hash of its content, in hexadecimal digits; `None` if there is no file.
    sha256: Option<String>,
}

// === impl KeptFile ===

impl KeptFile {
    /// Copies the file as it is now.
    ///
    /// # Errors
    /// A [`Refusal`] if it cannot be read, or is too large.
    pub(super) fn of(path: &Path) -> Result<Self, Refusal> {
        let bytes = read(path)?.map(|bytes| BASE64_STANDARD.encode(bytes));
        Ok(Self {
            path: path.to_owned(),
            bytes,
            left: None,
        })
    }

    /// Records the file as our change has left it.
    ///
    /// # Errors
    /// A [`Refusal`] if it cannot be read.
    pub(super) fn leave(&mut self) -> Result<(), Refusal> {
        self.left = Some(FileState::at(&self.path)?);
        Ok(())
    }

    /// Records that others have changed the file: its former content must not be restored any more.
    pub(super) fn forget_left(&mut self) {
        self.left = None;
    }

    /// Whether the former content may be restored if the file is still as our change left it.
    pub(super) const fn was_left(&self) -> bool {
        self.left.is_some()
    }

    /// Whether the file is still as our last change left it.
    ///
    /// # Errors
    /// A [`Refusal`] if it cannot be read.
    pub(super) fn is_as_left(&self) -> Result<bool, Refusal> {
        Ok(self.left == Some(FileState::at(&self.path)?))
    }

    /// Whether the file has its former content.
    ///
    /// # Errors
    /// A [`Refusal`] if it cannot be read.
    pub(super) fn is_as_before(&self) -> Result<bool, Refusal> {
        Ok(read(&self.path)? == self.before()?)
    }

    fn before(&self) -> Result<Option<Vec<u8>>, Refusal> {
        let decode = |text: &String| BASE64_STANDARD.decode(text);
        let bytes = self.bytes.as_ref().map(decode).transpose();
        bytes.map_err(|_| Refusal::config("the saved copy of a file cannot be read"))
    }

    /// Restores the former content. Returns what was done, or `None` if the file had it already.
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
        // A symbolic link, for example into a folder of dotfiles, is kept.
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

impl FileState {
    fn at(path: &Path) -> Result<Self, Refusal> {
        let sha256 = read(path)?.map(|bytes| hash(&bytes));
        Ok(Self { sha256 })
    }
}

/// Reads a file; `None` if there is none.
fn read(path: &Path) -> Result<Option<Vec<u8>>, Refusal> {
    let meta = match path.metadata() {
        Ok(meta) => meta,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(Refusal::io(path, "read it", &error)),
    };
    if !meta.is_file() || meta.len() > LARGEST {
        let path = path.display();
        return Err(Refusal::config(&format!(
            "{path} is not a regular file of at most {LARGEST} bytes, so its content cannot be saved for --undo; paste the lines yourself"
        )));
    }
    let bytes = fs::read(path).map_err(|error| Refusal::io(path, "read it", &error))?;
    Ok(Some(bytes))
}

/// Hashes bytes, and returns hexadecimal digits.
pub(super) fn hash(bytes: &[u8]) -> String {
    let digits = Sha256::digest(bytes);
    digits.iter().map(|byte| format!("{byte:02x}")).collect()
}
