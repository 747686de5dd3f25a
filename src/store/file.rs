//! The store in files: `STATE/credentials/PROFILE.json`.

use std::path::{Path, PathBuf};

use zeroize::Zeroizing;

use super::access::Backend;
use super::files::PrivateFiles;
use super::{ProfileLock, StoreError, StoreErrorKind};
use crate::profile::ProfileName;

/// A store in files of mode 0600, in a folder of mode 0700.
#[derive(Debug)]
pub struct FileStore(PrivateFiles);

impl FileStore {
    /// The store below this state folder, whose files are `owner`'s. That is another user than ours only when root sets
    /// up a system daemon. Nothing is touched before the first call.
    pub fn new(state: &Path, owner: u32) -> Self {
        Self(PrivateFiles::new(state.join("credentials"), owner))
    }

    /// The file of a profile's record.
    pub fn path(&self, profile: &ProfileName) -> PathBuf {
        self.0.path(profile)
    }

    /// Finds out whether a file could be removed here, as far as the folder tells; a missing folder has none.
    ///
    /// # Errors
    /// [`StoreError`] when the folder cannot be trusted.
    pub fn probe(&self) -> Result<(), StoreError> {
        self.0.probe()
    }

    /// The files here that may hold a secret: each record with its profile, and the temporary files of writers. What
    /// somebody else has put here is left out.
    ///
    /// # Errors
    /// [`StoreError`] when the folder cannot be trusted or read.
    pub fn files(&self) -> Result<Vec<(PathBuf, Option<ProfileName>)>, StoreError> {
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

    fn error(&self, profile: &ProfileName, kind: StoreErrorKind) -> StoreError {
        StoreError::new(&self.path(profile), kind)
    }
}

#[cfg(test)]
mod tests;
