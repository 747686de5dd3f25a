//! The journal of each rotation that has begun, written beforehand: `STATE/rotations/PROFILE.json`.
//!
//! The record is what counts: it says which keys are in use. The journal is a hint beside it: the names that were tried
//! and the keys that were made, so that each key that is at the server because of us is known by its name. There is no
//! secret in it.
//!
//! Each write goes to a new file, which is synced and renamed into place. Where a sync fails, that file is given up: a
//! second sync of the same file could report what is not so.

use std::path::{Path, PathBuf};

use super::files::PrivateFiles;
use super::lock::Locks;
use super::{ProfileLock, RotationId, StoreError, StoreErrorKind};
use crate::profile::ProfileName;

mod form;
mod journal;
mod left;
mod machine;
mod names;

pub use journal::{Machine, Phase, RotationJournal, RotationMode, SeenKey, StartedOn};

/// The largest file, in bytes: a thousand looks take a tenth.
const MAX_LEN: usize = 1024 * 1024;

/// The journals in the state folder.
#[derive(Debug)]
pub struct Rotations {
    files: PrivateFiles,
    left: PrivateFiles,
    drivers: Locks,
}

/// The right to drive a profile's rotation on this machine. It ends with this value, and with its process.
#[derive(Debug)]
pub struct DriverLock {
    _lock: ProfileLock,
}

/// What is written down of a profile's rotation.
#[derive(Debug)]
pub enum RotationRead {
    /// None has begun.
    Absent,
    /// This one has begun.
    Begun(Box<RotationJournal>),
    /// One has begun, and what is written down of it cannot be understood: a person has to look.
    Unclear {
        /// Why: it was cut, it is of another profile, or a later version has written it.
        error: StoreError,
        /// The names of keys in it, as far as they can be made out.
        names: Vec<String>,
    },
}

// === impl Rotations ===

impl Rotations {
    /// The journals below this state folder, with files that belong to `owner`; see [`super::FileStore::new`].
    pub fn new(state: &Path, owner: u32) -> Self {
        let folder = state.join("rotations");
        // Locks of their own: a rotation takes days, and other changes of the profile may be made meanwhile.
        let drivers = Locks::new(&folder, owner);
        let left = PrivateFiles::new(folder.clone(), owner).with_extension(".left");
        let files = PrivateFiles::new(folder, owner)
            .with_limit(MAX_LEN)
            .of_notes();
        Self {
            files,
            left,
            drivers,
        }
    }

    /// The file of a profile's journal.
    pub fn path(&self, profile: &ProfileName) -> PathBuf {
        self.files.path(profile)
    }

    /// Takes the right to drive the profile's rotation; waits for the program that has it, but not long.
    ///
    /// # Errors
    /// [`StoreError`] if another program has it, or locking fails.
    pub fn drive(&self, profile: &ProfileName) -> Result<DriverLock, StoreError> {
        let lock = self.drivers.take(profile)?;
        Ok(DriverLock { _lock: lock })
    }

    /// What is written down of the profile's rotation.
    ///
    /// # Errors
    /// [`StoreError`] if it cannot be read or trusted.
    pub fn read(&self, profile: &ProfileName) -> Result<RotationRead, StoreError> {
        let Some(json) = self.files.read(profile)? else {
            return Ok(RotationRead::Absent);
        };
        Ok(match form::parse(&json, profile) {
            Ok(journal) => RotationRead::Begun(Box::new(journal)),
            Err(kind) => RotationRead::Unclear {
                error: StoreError::new(&self.files.path(profile), kind),
                names: names::of_keys(&json),
            },
        })
    }

    /// The profiles with a rotation that has begun and not ended.
    ///
    /// # Errors
    /// [`StoreError`] if the folder cannot be trusted or read.
    pub fn profiles(&self) -> Result<Vec<ProfileName>, StoreError> {
        let files = self.files.names()?.into_iter();
        Ok(files.filter_map(|(_, name)| name).collect())
    }

    /// Writes the journal of the profile's rotation. It is on the disk when this returns.
    ///
    /// # Errors
    /// [`StoreError`]; what was to be written down must not be done then.
    pub fn write(&self, lock: &ProfileLock, journal: &RotationJournal) -> Result<(), StoreError> {
        let refused = |action, kind: std::io::ErrorKind| {
            StoreError::io(&self.files.path(lock.profile()), action, kind.into())
        };
        let json = form::to_json(lock.profile(), journal);
        let json = json.map_err(|_| {
            let action = "write down a rotation";
            refused(action, std::io::ErrorKind::InvalidData)
        })?;
        if json.len() > MAX_LEN {
            let action = "write down a rotation with so many keys";
            return Err(refused(action, std::io::ErrorKind::FileTooLarge));
        }
        self.files.write(lock, &json)
    }

    /// Writes the first journal of a rotation, as [`Self::write`] does. The lock may hold on one machine only, so another
    /// one may have begun a rotation meanwhile: its journal is not replaced.
    ///
    /// # Errors
    /// [`StoreErrorKind::Conflict`] where another rotation has begun; else as [`Self::write`].
    pub fn begin(&self, lock: &ProfileLock, journal: &RotationJournal) -> Result<(), StoreError> {
        if self.is_of_another(lock, &journal.id)? {
            let path = self.files.path(lock.profile());
            return Err(StoreError::new(&path, StoreErrorKind::Conflict));
        }
        self.write(lock, journal)
    }

    /// Removes the journal of this rotation, which has ended. One of another rotation stays.
    ///
    /// # Errors
    /// [`StoreError`] if it cannot be removed.
    pub fn end_of(&self, lock: &ProfileLock, rotation: &RotationId) -> Result<(), StoreError> {
        match self.is_of_another(lock, rotation)? {
            true => Ok(()),
            false => self.end(lock),
        }
    }

    fn is_of_another(&self, lock: &ProfileLock, own: &RotationId) -> Result<bool, StoreError> {
        let read = self.read(lock.profile())?;
        Ok(matches!(read, RotationRead::Begun(journal) if journal.id != *own))
    }

    /// Removes the journal: the rotation has ended.
    ///
    /// # Errors
    /// [`StoreError`] if it cannot be removed.
    pub fn end(&self, lock: &ProfileLock) -> Result<(), StoreError> {
        self.files.remove(lock).map(drop)
    }
}

#[cfg(test)]
mod tests;
