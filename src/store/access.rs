//! Reading what is kept, and changing it. A change is a compare-and-set: it says what it expects to replace, and fails
//! when another program was faster.

use std::fmt;
use std::io;
use std::path::PathBuf;

use sha2::{Digest as _, Sha256};
use zeroize::Zeroizing;

use super::record::{self, Record};
use super::{ProfileLock, StoreError, StoreErrorKind};
use crate::profile::ProfileName;

/// Reads what a store keeps. Its calls block: keep them off the event loop.
pub trait StoreReader: Send + Sync {
    /// What is kept for the profile, and which revision of it that is.
    fn look(&self, profile: &ProfileName) -> Look;

    /// What is kept for the profile; `None` when nothing is.
    ///
    /// # Errors
    /// [`StoreError`] when the store or the record cannot be read or trusted.
    fn load(&self, profile: &ProfileName) -> Result<Option<Record>, StoreError> {
        self.look(profile).record
    }
}

/// Changes what a store keeps, in the hands of the holder of the profile's lock.
pub trait StoreWriter: StoreReader {
    /// Keeps this record in the place of what is `expected` there; all of it or nothing. Returns its revision.
    ///
    /// # Errors
    /// [`StoreErrorKind::Conflict`] when something else is there. After any other [`StoreError`],
    /// [`StoreError::changed`] tells whether the new record is in place all the same.
    fn replace(
        &self,
        lock: &ProfileLock,
        expected: &Revision,
        record: &Record,
    ) -> Result<Revision, StoreError>;

    /// Forgets what is `expected` to be kept; whether there was anything.
    ///
    /// # Errors
    /// [`StoreErrorKind::Conflict`] when something else is there, or [`StoreError`] when the store cannot be changed.
    fn remove(&self, lock: &ProfileLock, expected: &Revision) -> Result<bool, StoreError>;
}

/// A store as the commands use it, which also choose one and say where a credential is.
pub trait Store: StoreWriter {
    /// What people are told of it.
    fn about(&self) -> About;

    /// Where the profile's credential is, for people.
    fn place_of(&self, profile: &ProfileName) -> String;

    /// Finds out whether the profile's credential can be kept or removed here now, without changing anything.
    ///
    /// # Errors
    /// Why not.
    fn probe(&self, profile: &ProfileName) -> Result<(), StoreError>;

    /// The files that may hold a secret, each record with its profile, where the store has files.
    ///
    /// # Errors
    /// [`StoreError`] when they cannot be listed.
    fn files(&self) -> Result<Vec<(PathBuf, Option<ProfileName>)>, StoreError> {
        Ok(vec![])
    }
}

/// What people are told of a store, and where it can be used.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct About {
    /// What it is, without an article, such as "OS keyring".
    pub noun: &'static str,
    /// What a credential is in, such as "a file".
    pub name: &'static str,
    /// Whether it is in the state folder. One that is not belongs to the user's session, and a system's daemon has none.
    pub in_state: bool,
}

impl About {
    /// What a credential is in, in full.
    pub fn title(&self) -> String {
        match self.in_state {
            true => self.name.to_owned(),
            false => format!("the {} ({})", self.noun, self.name),
        }
    }
}

/// What a look into a store found.
#[derive(Debug)]
pub struct Look {
    /// What is kept.
    pub record: Result<Option<Record>, StoreError>,
    /// Which revision of it that is.
    pub revision: Revision,
}

/// What a writer expects to replace. Two are equal when nothing has changed in between.
#[derive(Clone, PartialEq, Eq)]
pub struct Revision(State);

#[derive(Clone, PartialEq, Eq)]
enum State {
    Absent,
    /// The SHA-256 of the bytes as they are kept, whether or not they are a record.
    Kept([u8; 32]),
    /// It could not be read. A writer that replaces it as a whole need not read it.
    Unreadable,
}

/// Keeps the bytes of records. It is what a new store implements: the comparison is made here.
pub(super) trait Backend: Send + Sync {
    /// The bytes that are kept for the profile.
    fn read(&self, profile: &ProfileName) -> Result<Option<Zeroizing<Vec<u8>>>, StoreError>;

    /// Keeps these bytes in the place of others; all of them or none.
    fn write(&self, lock: &ProfileLock, bytes: &[u8]) -> Result<(), StoreError>;

    /// Forgets what is kept; whether there was anything.
    fn delete(&self, lock: &ProfileLock) -> Result<bool, StoreError>;

    /// An error about what is kept for the profile.
    fn error(&self, profile: &ProfileName, kind: StoreErrorKind) -> StoreError;
}

impl<B: Backend> StoreReader for B {
    fn look(&self, profile: &ProfileName) -> Look {
        let read = self.read(profile);
        let revision = Revision::of(&read);
        let record = read.and_then(|bytes| match bytes {
            Some(bytes) => record::from_json(&bytes)
                .map(Some)
                .map_err(|kind| self.error(profile, kind)),
            None => Ok(None),
        });
        Look { record, revision }
    }
}

impl<B: Backend> StoreWriter for B {
    fn replace(
        &self,
        lock: &ProfileLock,
        expected: &Revision,
        record: &Record,
    ) -> Result<Revision, StoreError> {
        let json = record::to_json(record).ok_or_else(|| {
            let kind = StoreErrorKind::Io {
                action: "keep a record of this size",
                source: io::ErrorKind::FileTooLarge.into(),
            };
            self.error(lock.profile(), kind)
        })?;
        compare(self, lock.profile(), expected)?;
        self.write(lock, &json)?;
        Ok(Revision::of(&Ok(Some(json))))
    }

    fn remove(&self, lock: &ProfileLock, expected: &Revision) -> Result<bool, StoreError> {
        compare(self, lock.profile(), expected)?;
        self.delete(lock)
    }
}

/// Whether what is kept is what the writer expects.
fn compare(
    store: &impl Backend,
    profile: &ProfileName,
    expected: &Revision,
) -> Result<(), StoreError> {
    let read = store.read(profile);
    let now = Revision::of(&read);
    match read {
        _ if now == *expected && !now.is_unreadable() => Ok(()),
        // What could not be read then cannot be read now: nothing tells that it has changed.
        Err(error) if now == *expected && !error.kind.is_of_whole_store() => Ok(()),
        Err(error) => Err(error),
        Ok(_) => Err(store.error(profile, StoreErrorKind::Conflict)),
    }
}

// === impl Revision ===

impl Revision {
    fn of(read: &Result<Option<Zeroizing<Vec<u8>>>, StoreError>) -> Self {
        Self(match read {
            Ok(None) => State::Absent,
            Ok(Some(bytes)) => State::Kept(Sha256::digest(bytes.as_slice()).into()),
            Err(_) => State::Unreadable,
        })
    }

    /// Whether nothing is kept.
    pub fn is_absent(&self) -> bool {
        self.0 == State::Absent
    }

    fn is_unreadable(&self) -> bool {
        self.0 == State::Unreadable
    }
}

impl fmt::Debug for Revision {
    /// Without the hash: a short secret could be guessed from it.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self.0 {
            State::Absent => "Absent",
            State::Kept(_) => "Kept",
            State::Unreadable => "Unreadable",
        })
    }
}
