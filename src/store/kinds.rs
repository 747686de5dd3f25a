//! Every store that a configuration can name.

use std::path::Path;
use std::sync::Arc;

use super::{CredentialStore, FileStore, KeyringStore};
use crate::config::StoreKind;

/// The stores of one state folder and one user. Making them touches nothing: a store that no profile names is never
/// asked, and costs nothing.
#[derive(Debug, Clone)]
pub struct Stores {
    file: Arc<FileStore>,
    /// One for all profiles, since its limit is for all.
    keyring: Arc<KeyringStore>,
}

impl Stores {
    /// The stores below this state folder, whose files are `owner`'s; see [`FileStore::new`].
    pub fn new(state: &Path, owner: u32) -> Self {
        Self {
            file: Arc::new(FileStore::new(state, owner)),
            keyring: Arc::new(KeyringStore::new()),
        }
    }

    /// The store of this kind.
    pub fn of(&self, kind: StoreKind) -> Arc<dyn CredentialStore> {
        match kind {
            StoreKind::File => Arc::clone(&self.file) as Arc<dyn CredentialStore>,
            StoreKind::Keyring => Arc::clone(&self.keyring) as Arc<dyn CredentialStore>,
        }
    }

    /// The store in files.
    pub fn file(&self) -> &FileStore {
        &self.file
    }

    /// The store in the OS keyring.
    pub fn keyring(&self) -> &KeyringStore {
        &self.keyring
    }
}
