//! Every store that a configuration can name.

use std::path::Path;
use std::sync::Arc;

use super::lock::Locks;
use super::{FileStore, KeyringStore, ProfileLock, StoreError, StoreReader, StoreWriter};
use crate::config::StoreKind;
use crate::profile::ProfileName;

/// The stores of one state folder and one user. Making them touches nothing: a store that no profile names is never
/// asked, and costs nothing.
#[derive(Debug, Clone)]
pub struct Stores {
    file: Arc<FileStore>,
    /// One for all profiles, since its limit is for all.
    keyring: Arc<KeyringStore>,
    locks: Locks,
}

impl Stores {
    /// The stores below this state folder, whose files are `owner`'s; see [`FileStore::new`].
    pub fn new(state: &Path, owner: u32) -> Self {
        Self {
            file: Arc::new(FileStore::new(state, owner)),
            keyring: Arc::new(KeyringStore::new()),
            locks: Locks::new(state, owner),
        }
    }

    /// The store of this kind, to read what it keeps.
    pub fn reader(&self, kind: StoreKind) -> Arc<dyn StoreReader> {
        match kind {
            StoreKind::File => Arc::clone(&self.file) as Arc<dyn StoreReader>,
            StoreKind::Keyring => Arc::clone(&self.keyring) as Arc<dyn StoreReader>,
        }
    }

    /// The store of this kind, to change what it keeps.
    pub fn writer(&self, kind: StoreKind) -> Arc<dyn StoreWriter> {
        match kind {
            StoreKind::File => Arc::clone(&self.file) as Arc<dyn StoreWriter>,
            StoreKind::Keyring => Arc::clone(&self.keyring) as Arc<dyn StoreWriter>,
        }
    }

    /// Takes the right to change what is kept of a profile, in whichever store, and waits for its holder.
    ///
    /// # Errors
    /// [`StoreError`] when another program keeps it, or it cannot be had.
    pub fn lock(&self, profile: &ProfileName) -> Result<ProfileLock, StoreError> {
        self.locks.take(profile)
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
