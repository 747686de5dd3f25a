//! The identity of the store of encrypted files, wrapped by a passphrase: `STATE/encrypted-file/identity.age`.
//!
//! `age -d` opens the file with the passphrase, and `age -d -i` opens the records with its content. The file is never
//! overwritten: without the identity every record is lost.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};

use zeroize::Zeroizing;

use super::super::StoreError;
use super::super::files::PrivateFiles;
use crate::age_file::{Identity, OpenError, Passphrase, WorkFactor};

/// The file's name.
const NAME: &str = "identity.age";

/// The largest identity that is accepted, in bytes: one line, and comments.
const MAX_IDENTITY: usize = 16 * 1_024;

/// The largest file, in bytes: an identity, and the bytes that age and its armor add.
const MAX_FILE: usize = 32 * 1_024;

/// The file with the wrapped identity.
#[derive(Debug)]
pub struct IdentityFile {
    files: PrivateFiles,
    path: PathBuf,
}

/// A wrapped identity, as it was read.
pub struct Wrapped(Zeroizing<Vec<u8>>);

// === impl IdentityFile ===

impl IdentityFile {
    /// The file below this state folder, which belongs to `owner`; see [`crate::store::FileStore::new`].
    pub fn new(state: &Path, owner: u32) -> Self {
        let folder = state.join("encrypted-file");
        Self {
            path: folder.join(NAME),
            files: PrivateFiles::new(folder, owner).with_limit(MAX_FILE),
        }
    }

    /// The path of the file.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Reads the file, if it exists.
    ///
    /// # Errors
    /// [`StoreError`] if it cannot be read or trusted.
    pub fn read(&self) -> Result<Option<Wrapped>, StoreError> {
        Ok(self.files.read_file(OsStr::new(NAME))?.map(Wrapped))
    }

    /// Makes the file, unless it exists. It is on the disk when this returns.
    ///
    /// # Errors
    /// [`StoreError`] if it cannot be made; an existing file stays unchanged.
    pub fn make(&self, wrapped: &Wrapped) -> Result<(), StoreError> {
        self.files
            .make_file("identity", OsStr::new(NAME), &wrapped.0)
    }
}

// === impl Wrapped ===

impl Wrapped {
    /// Wraps an identity, as age's own tools would; `None` if the system gives no random numbers.
    pub fn of(identity: &Identity, passphrase: &Passphrase, work: WorkFactor) -> Option<Self> {
        let recipient = identity.recipient();
        let text = identity.expose();
        let parts = ["# public key: ", recipient.as_str(), "\n", &text, "\n"];
        let file = Zeroizing::new(parts.concat());
        passphrase.seal(file.as_bytes(), work).map(Self)
    }

    /// Opens it. This takes as long as the file's work factor demands.
    ///
    /// # Errors
    /// Why it cannot be opened, in a sentence for people; `None` for a wrong passphrase.
    pub fn open(&self, passphrase: &Passphrase) -> Result<Identity, Option<String>> {
        let file = passphrase.open(&self.0, MAX_IDENTITY);
        let file = file.map_err(|why| match why {
            OpenError::WrongPassphrase => None,
            why => Some(why.to_string()),
        })?;
        let text = std::str::from_utf8(&file).map_err(|_| Some("it holds no text".to_owned()))?;
        Identity::parse(text).map_err(|why| Some(why.to_string()))
    }
}
