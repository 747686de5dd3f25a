//! The identity of the store of encrypted files, wrapped by a passphrase: `STATE/encrypted-file/identity.age`.
//!
//! `age -d` opens it with the passphrase, and what comes out opens the records: `age -d -i`. It is never written over, for
//! without it every record is lost.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};

use zeroize::Zeroizing;

use super::super::StoreError;
use super::super::files::PrivateFiles;
use crate::age_file::{Identity, Passphrase, Unopened, WorkFactor};

/// The file's name.
const NAME: &str = "identity.age";

/// The largest identity that is taken, in bytes: one line, and comments.
const MAX_IDENTITY: usize = 16 * 1_024;

/// The largest file, in bytes: an identity, and what age and an armor add to it.
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

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Reads it, if it is there.
    ///
    /// # Errors
    /// [`StoreError`] if it cannot be read or trusted.
    pub fn read(&self) -> Result<Option<Wrapped>, StoreError> {
        Ok(self.files.read_file(OsStr::new(NAME))?.map(Wrapped))
    }

    /// Makes it, unless there is one. It is on the disk when this returns.
    ///
    /// # Errors
    /// [`StoreError`] if it cannot be made; one that is there stays as it is.
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

    /// Opens it. This takes as long as its work factor says.
    ///
    /// # Errors
    /// Why it cannot be opened, in a sentence for people; `None` for another passphrase.
    pub fn open(&self, passphrase: &Passphrase) -> Result<Identity, Option<String>> {
        let file = passphrase.open(&self.0, MAX_IDENTITY);
        let file = file.map_err(|why| match why {
            Unopened::WrongPassphrase => None,
            why => Some(why.to_string()),
        })?;
        let text = std::str::from_utf8(&file).map_err(|_| Some("it holds no text".to_owned()))?;
        Identity::parse(text).map_err(|why| Some(why.to_string()))
    }
}
