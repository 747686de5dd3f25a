//! The store of encrypted files: `STATE/credentials/PROFILE.age`, and during a rotation in place
//! `STATE/kept/PROFILE.age`, each an age file for the recipient in the configuration.
//!
//! Writing takes only the recipient, which is not secret. Reading takes the recipient's identity, which `jetond unlock`
//! supplies. The encrypted record contains its profile's name. The file's name is not encrypted, so without that a user
//! who can rename files could give one profile the credential of another.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use serde::Deserialize;
use zeroize::Zeroizing;

use super::access::{Backend, Slots};
use super::files::PrivateFiles;
use super::{About, ChangeSource, ProfileLock, Store, StoreError, StoreErrorKind, kept, record};
use crate::profile::ProfileName;

mod identity_file;
mod keys;

pub use identity_file::{IdentityFile, Wrapped};
pub use keys::{Mismatch, StoreKeys};

/// The most bytes that age and the profile's name add to a file.
const MAX_ADDED: usize = 4 * 1_024;

/// A store of age files of mode 0600, in a folder of mode 0700.
#[derive(Debug)]
pub struct EncryptedStore {
    records: AgeFiles,
    kept: AgeFiles,
}

/// The files of one folder.
#[derive(Debug)]
struct AgeFiles {
    files: PrivateFiles,
    keys: Arc<StoreKeys>,
    /// The largest file that is read, in bytes.
    limit: usize,
}

/// The part of a record that names its profile.
#[derive(Deserialize)]
struct Owner {
    profile: String,
}

// === impl EncryptedStore ===

impl EncryptedStore {
    /// Creates the store below this state folder, with files that belong to `owner` and these keys; see
    /// [`super::FileStore::new`].
    pub fn new(state: &Path, owner: u32, keys: Arc<StoreKeys>) -> Self {
        let files = |folder, content: usize, keys| {
            let limit = content + MAX_ADDED;
            let files = PrivateFiles::new(state.join(folder), owner);
            AgeFiles {
                files: files.with_limit(limit).with_extension(".age"),
                keys,
                limit,
            }
        };
        Self {
            records: files("credentials", record::MAX_LEN, Arc::clone(&keys)),
            kept: files("kept", kept::MAX_LEN, keys),
        }
    }

    /// The recipient and the identity.
    pub const fn keys(&self) -> &Arc<StoreKeys> {
        &self.records.keys
    }
}

impl Slots for EncryptedStore {
    fn records(&self) -> &dyn Backend {
        &self.records
    }

    fn slot(&self) -> &dyn Backend {
        &self.kept
    }
}

impl Store for EncryptedStore {
    fn about(&self) -> About {
        About {
            noun: "store of encrypted files",
            name: "an encrypted file",
            in_state: true,
        }
    }

    fn place_of(&self, profile: &ProfileName) -> String {
        let path = self.records.files.path(profile);
        format!("{}, encrypted", path.display())
    }

    /// Checks only the folder; a missing folder is fine.
    fn probe(&self, _: &ProfileName) -> Result<(), StoreError> {
        self.records.files.probe()
    }

    /// Lists only the records: the file store lists the temporary files of the folder.
    fn files(&self) -> Result<Vec<(PathBuf, Option<ProfileName>)>, StoreError> {
        let mut files = self.records.files.names()?;
        files.retain(|(_, profile)| profile.is_some());
        Ok(files)
    }
}

impl Backend for AgeFiles {
    fn read(&self, profile: &ProfileName) -> Result<Option<Zeroizing<Vec<u8>>>, StoreError> {
        self.files.read(profile)
    }

    fn write(&self, lock: &ProfileLock, bytes: &[u8]) -> Result<(), StoreError> {
        self.files.write(lock, bytes)
    }

    fn delete(&self, lock: &ProfileLock) -> Result<bool, StoreError> {
        self.files.remove(lock)
    }

    fn change_sources(&self, profile: &ProfileName) -> Vec<ChangeSource> {
        vec![ChangeSource::File(self.files.path(profile))]
    }

    fn error(&self, profile: &ProfileName, kind: StoreErrorKind) -> StoreError {
        StoreError::new(&self.files.path(profile), kind)
    }

    fn seal(
        &self,
        profile: &ProfileName,
        json: Zeroizing<Vec<u8>>,
    ) -> Result<Zeroizing<Vec<u8>>, StoreErrorKind> {
        self.keys.seal(&with_owner(profile, &json))
    }

    fn open(
        &self,
        profile: &ProfileName,
        file: Zeroizing<Vec<u8>>,
    ) -> Result<Zeroizing<Vec<u8>>, StoreErrorKind> {
        let json = self.keys.open(&file, self.limit)?;
        check_owner(profile, &json)?;
        Ok(json)
    }
}

/// Adds the profile to the record's JSON as its first member. A profile name has no character that JSON escapes.
fn with_owner(profile: &ProfileName, json: &[u8]) -> Zeroizing<Vec<u8>> {
    let begin = format!("{{\n  \"profile\": \"{profile}\",");
    let members = json.strip_prefix(b"{").unwrap_or(json);
    // Allocated at the final size, so that no growth leaves a copy behind.
    let mut owned = Zeroizing::new(Vec::with_capacity(begin.len() + members.len()));
    owned.extend_from_slice(begin.as_bytes());
    owned.extend_from_slice(members);
    owned
}

/// Refuses a record that names another profile, or no profile.
fn check_owner(profile: &ProfileName, json: &[u8]) -> Result<(), StoreErrorKind> {
    let owner: Owner = serde_json::from_slice(json).map_err(|error| StoreErrorKind::Malformed {
        line: error.line(),
        column: error.column(),
        what: "it does not name its profile",
    })?;
    if owner.profile == profile.as_str() {
        return Ok(());
    }
    Err(match ProfileName::parse(&owner.profile) {
        Ok(other) => StoreErrorKind::OfAnotherProfile(other),
        Err(_) => StoreErrorKind::Malformed {
            line: 0,
            column: 0,
            what: "it names an invalid profile",
        },
    })
}

#[cfg(test)]
mod tests;
