//! The file store: `STATE/credentials/PROFILE.json`, and during a rotation in place `STATE/kept/PROFILE.json`.

use std::path::{Path, PathBuf};

use zeroize::Zeroizing;

use super::access::{Backend, Slots};
use super::files::PrivateFiles;
use super::kept;
use super::{About, ChangeSource, ProfileLock, Store, StoreError, StoreErrorKind};
use crate::profile::ProfileName;

/// A store of files of mode 0600, in a folder of mode 0700.
#[derive(Debug)]
pub struct FileStore {
    records: Files,
    kept: Files,
}

/// The files of one folder.
#[derive(Debug)]
struct Files(PrivateFiles);

impl FileStore {
    /// Creates the store below this state folder, with files that belong to `owner`. `owner` differs from our user only
    /// when root sets up a system daemon. Touches nothing before the first call.
    pub fn new(state: &Path, owner: u32) -> Self {
        let kept = PrivateFiles::new(state.join("kept"), owner);
        Self {
            records: Files(PrivateFiles::new(state.join("credentials"), owner)),
            kept: Files(kept.with_limit(kept::MAX_LEN)),
        }
    }

    /// Removes the temporary files that killed writers left, which may hold a secret: those of this profile, and those
    /// of other profiles that no program is changing now.
    pub fn sweep(&self, lock: &ProfileLock) {
        self.records.0.sweep(lock);
        self.kept.0.sweep(lock);
    }

    /// The file of a profile's record.
    pub fn path(&self, profile: &ProfileName) -> PathBuf {
        self.records.0.path(profile)
    }
}

impl Slots for FileStore {
    fn records(&self) -> &dyn Backend {
        &self.records
    }

    fn slot(&self) -> &dyn Backend {
        &self.kept
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
        self.records.0.probe()
    }

    /// Includes the temporary files of writers, and skips files that are not Jeton's.
    fn files(&self) -> Result<Vec<(PathBuf, Option<ProfileName>)>, StoreError> {
        self.records.0.names()
    }
}

impl Backend for Files {
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
        vec![ChangeSource::File(self.0.path(profile))]
    }

    fn error(&self, profile: &ProfileName, kind: StoreErrorKind) -> StoreError {
        StoreError::new(&self.0.path(profile), kind)
    }
}

#[cfg(test)]
mod tests;
