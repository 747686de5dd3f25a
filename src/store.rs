//! The stores that keep credentials between runs, and the binding of each credential.
//!
//! This file has the table of the stores. To add a store, add its kind to the configuration, a file here that keeps
//! bytes and describes the store to people, its line in [`Stores`], and its tests.

use std::path::Path;
use std::sync::Arc;

use self::lock::Locks;
use crate::config::{Config, CredentialLocation, Profile, StoreKind};
use crate::profile::ProfileName;

mod access;
mod binding;
mod bindings;
mod changes;
mod compare_and_set;
mod difference;
mod encrypted;
mod enrolled;
mod error;
mod file;
mod files;
mod fixed_buffer;
mod intents;
mod kept;
pub mod keyring;
mod lock;
mod moves;
mod read_only;
mod record;
mod removal;
mod rotations;
mod slot;
pub mod source;
pub mod sourced;

pub use access::{About, Revision, Store, StoreReader, StoreReading, StoreWriter};
pub use binding::{Binding, BoundTarget, Required};
pub use bindings::{Bindings, RecordedBinding};
pub use changes::ChangeSource;
pub use compare_and_set::{ReadBack, ReplaceOutcome, read_back, replace_if};
pub use difference::{BindingPart, Difference, Differences};
pub use encrypted::{EncryptedStore, IdentityFile, Mismatch, StoreKeys, Wrapped};
pub use enrolled::EnrolledCredential;
pub use error::{StoreError, StoreErrorKind, Unavailable};
pub use file::FileStore;
pub use intents::{KeyCall, KeyIntent, KeyIntents, SecretDestination};
pub use kept::{RotationData, RotationDataStore};
pub use keyring::{KeyringFault, KeyringStore};
pub use lock::{ProfileLock, Waits};
pub use moves::{Move, MoveKind, MovedCredential, Moves};
pub use read_only::{NoCommands, SourceContext, SourceError, SourceReader};
pub use record::{BegunRotation, Key, OtherKey, ReceivedAt, Record, RotationId};
pub use removal::{Removal, Removals};
pub use rotations::{
    DriverLock, LeftKey, Machine, Phase, RotationJournal, RotationMode, RotationRead, Rotations,
    SeenKey, StartedOn,
};

/// The stores of one state folder and one user. Creating them has no side effects: a store that no profile names is
/// never used, and costs nothing.
#[derive(Clone)]
pub struct Stores {
    file: Arc<FileStore>,
    /// Shared by all profiles: keyring calls run one at a time across all of them.
    keyring: Arc<dyn Store>,
    encrypted: Arc<EncryptedStore>,
    locks: Locks,
    bindings: Arc<Bindings>,
    surroundings: Arc<SourceContext>,
    /// The user that the daemon runs as, or ours. Only this user and root may have write access to a source's files.
    owner: u32,
}

impl Stores {
    /// Creates the stores below this state folder, with files that belong to `owner`; see [`FileStore::new`].
    pub fn new(state: &Path, owner: u32) -> Self {
        Self {
            file: Arc::new(FileStore::new(state, owner)),
            keyring: Arc::new(KeyringStore::new()),
            encrypted: Arc::new(EncryptedStore::new(state, owner, Arc::default())),
            locks: Locks::new(state, owner),
            bindings: Arc::new(Bindings::new(state, owner)),
            surroundings: Arc::default(),
            owner,
        }
    }

    /// The store of this kind.
    pub fn store(&self, kind: &StoreKind) -> Arc<dyn Store> {
        match kind {
            StoreKind::File => Arc::<FileStore>::clone(&self.file),
            StoreKind::Keyring => Arc::clone(&self.keyring),
            StoreKind::EncryptedFile => Arc::<EncryptedStore>::clone(&self.encrypted),
        }
    }

    /// Replaces the store in the OS keyring by this one.
    #[must_use]
    pub fn with_keyring(self, keyring: Arc<dyn Store>) -> Self {
        Self { keyring, ..self }
    }

    /// Tells about long waits for the lock of a profile.
    #[must_use]
    pub fn telling_waits(self, waits: Waits) -> Self {
        Self {
            locks: self.locks.telling(waits),
            ..self
        }
    }

    /// Replaces the surroundings that the read-only sources use.
    #[must_use]
    pub fn in_surroundings(self, surroundings: Arc<SourceContext>) -> Self {
        Self {
            surroundings,
            ..self
        }
    }

    /// The source of this profile's credential; `None` if it has a store.
    pub fn source_of(&self, profile: &Profile) -> Option<SourceReader> {
        SourceReader::of(profile, self.owner, &self.surroundings)
    }

    /// The bindings of the sources' credentials.
    pub fn bindings(&self) -> &Bindings {
        &self.bindings
    }

    /// Describes where this profile's credential is, in words that follow "the credential".
    pub fn whereabouts(&self, profile: &Profile) -> String {
        match &profile.credential {
            CredentialLocation::Store(store) => format!("in {}", self.store(store).about().title()),
            CredentialLocation::Source(source) => format!("from {}", source.client_secret),
        }
    }

    /// The keys of the store of encrypted files. At first it is locked and has no recipient to encrypt to.
    pub fn keys(&self) -> &Arc<StoreKeys> {
        self.encrypted.keys()
    }

    /// Makes the store of encrypted files encrypt to the configuration's recipient.
    #[must_use]
    pub fn encrypting_for(self, config: &Config) -> Self {
        self.keys().encrypt_to(config.recipient.clone());
        self
    }

    /// The store of this kind, for a program that only reads.
    pub fn reader(&self, kind: &StoreKind) -> Arc<dyn StoreReader> {
        self.store(kind)
    }

    /// Removes the temporary files that killed writers left in this state folder. `lock` may be for a change in any
    /// store.
    pub fn sweep(&self, lock: &ProfileLock) {
        self.file.sweep(lock);
    }

    /// Takes the lock for changing what is stored for a profile, in any store. Waits while another program holds it.
    ///
    /// # Errors
    /// [`StoreError`] if another program holds the lock for too long, or locking fails.
    pub fn lock(&self, profile: &ProfileName) -> Result<ProfileLock, StoreError> {
        self.locks.take(profile)
    }
}
