//! The journal of each unfinished rotation, written before each step: `STATE/rotations/PROFILE.json`.
//!
//! The record decides: it says which keys are in use. The journal only helps: it has the names that were tried and the
//! keys that were made, so that Jeton knows by name each key that it has made at the server. The journal holds no
//! secret.
//!
//! Each write goes to a new file, which is synced and renamed into place. If a sync fails, that file is abandoned: a
//! second sync of the same file could report success falsely.

use std::path::{Path, PathBuf};

use super::files::PrivateFiles;
use super::lock::Locks;
use super::{ProfileLock, RotationId, StoreError, StoreErrorKind};
use crate::profile::ProfileName;

mod form;
mod journal;
mod machine;
mod names;
mod undeleted_keys;

pub use journal::{Machine, Phase, RotationJournal, RotationMode, SeenKey, StartedOn};
pub use undeleted_keys::LeftKey;

/// The largest file, in bytes: the names of a thousand keys take a tenth.
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

/// The recorded state of a profile's rotation.
#[derive(Debug)]
pub enum RotationRead {
    /// No rotation has begun.
    Absent,
    /// This rotation has begun.
    Begun(Box<RotationJournal>),
    /// A rotation has begun, and its journal cannot be understood: a person has to look at it.
    Unclear {
        /// The reason: the file was cut, belongs to another profile, or was written by a later version.
        error: StoreError,
        /// The names of keys in it, as far as they can be read.
        names: Vec<String>,
    },
}

// === impl Rotations ===

impl Rotations {
    /// Opens the journals below this state folder, with files that belong to `owner`; see [`super::FileStore::new`].
    pub fn new(state: &Path, owner: u32) -> Self {
        let folder = state.join("rotations");
        // These locks are separate: a rotation takes days, and other changes of the profile may be made meanwhile.
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

    /// Takes the right to drive the profile's rotation. Waits some seconds while another program has it.
    ///
    /// # Errors
    /// [`StoreError`] if another program has it, or locking fails.
    pub fn drive(&self, profile: &ProfileName) -> Result<DriverLock, StoreError> {
        let lock = self.drivers.take(profile)?;
        Ok(DriverLock { _lock: lock })
    }

    /// Reads the recorded state of the profile's rotation.
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

    /// The profiles with an unfinished rotation.
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
    /// [`StoreError`]; the step that the journal announces must not be done then.
    pub fn write(&self, lock: &ProfileLock, journal: &RotationJournal) -> Result<(), StoreError> {
        let refused = |action, kind: std::io::ErrorKind| {
            StoreError::io(&self.files.path(lock.profile()), action, kind.into())
        };
        let json = form::to_json(lock.profile(), journal);
        let json = json.map_err(|_| {
            let action = "record a rotation";
            refused(action, std::io::ErrorKind::InvalidData)
        })?;
        if json.len() > MAX_LEN {
            let action = "record a rotation with so many keys";
            return Err(refused(action, std::io::ErrorKind::FileTooLarge));
        }
        self.files.write(lock, &json)
    }

    /// Writes the first journal of a rotation, as [`Self::write`] does. The lock may exclude only programs of this
    /// machine, so another machine may have begun a rotation meanwhile: its journal is not replaced.
    ///
    /// # Errors
    /// [`StoreErrorKind::Conflict`] if another rotation has begun; else as [`Self::write`].
    pub fn begin(&self, lock: &ProfileLock, journal: &RotationJournal) -> Result<(), StoreError> {
        if self.is_of_another(lock, &journal.id)? {
            let path = self.files.path(lock.profile());
            return Err(StoreError::new(&path, StoreErrorKind::Conflict));
        }
        self.write(lock, journal)
    }

    /// Removes the journal of this rotation, which has ended. The journal of another rotation stays.
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

    /// Removes the journal of a rotation that has ended.
    ///
    /// # Errors
    /// [`StoreError`] if it cannot be removed.
    pub fn end(&self, lock: &ProfileLock) -> Result<(), StoreError> {
        self.files.remove(lock).map(drop)
    }
}

#[cfg(test)]
mod tests;
