//! The file store: `STATE/credentials/PROFILE.json`.

use std::path::{Path, PathBuf};

use zeroize::Zeroizing;

use super::access::Backend;
use super::files::PrivateFiles;
use super::{About, ChangeSource, ProfileLock, Store, StoreError, StoreErrorKind};
use crate::profile::ProfileName;

/// A store of files of mode 0600, in a folder of mode 0700.
#[derive(Debug)]
pub struct FileStore(PrivateFiles);

impl FileStore {
    /// The store below this state folder, with files that belong to `owner`. `owner` is another user than ours only
    /// when root sets up a system daemon. Touches nothing before the first call.
    pub fn new(state: &Path, owner: u32) -> Self {
        Self(PrivateFiles::new(state.join("credentials"), owner))
    }

    /// Removes the temporary files that killed writers have left, which may hold a secret: those of this profile, and those
    /// of other profiles that no program is changing now.
    pub fn sweep(&self, lock: &ProfileLock) {
        self.0.sweep(lock);
    }

    /// The file of a profile's record.
    pub fn path(&self, profile: &ProfileName) -> PathBuf {
        self.0.path(profile)
    }
}

impl Store for FileStore {
    fn about(&self) -> About {
        About {
            noun: "file",
            name: "a file",
            in_state: true,
        }
    }

    fn place_of(&self, profile: &ProfileName) -> String {
        self.path(profile).display().to_string()
    }

    /// Checks only the folder; a missing folder is fine.
    fn probe(&self, _: &ProfileName) -> Result<(), StoreError> {
        self.0.probe()
    }

    /// Includes the temporary files of writers, and skips files that are not Jeton's.
    fn files(&self) -> Result<Vec<(PathBuf, Option<ProfileName>)>, StoreError> {
        self.0.names()
    }
}

impl Backend for FileStore {
    fn read(&self, profile: &ProfileName) -> Result<Option<Zeroizing<Vec<u8>>>, StoreError> {
        self.0.read(profile)
    }

    fn write(&self, lock: &ProfileLock, bytes: &[u8]) -> Result<(), StoreError> {
        self.0.write(lock, bytes)
    }

    fn delete(&self, lock: &ProfileLock) -> Result<bool, StoreError> {
        self.0.remove(lock)
    }

    fn change_sources(&self, profile: &ProfileName) -> Vec<ChangeSource> {
        vec![ChangeSource::File(self.path(profile))]
    }

    fn error(&self, profile: &ProfileName, kind: StoreErrorKind) -> StoreError {
        StoreError::new(&self.path(profile), kind)
    }
}

#[cfg(test)]
mod tests;
