//! Reading and changing stored records. A change is a compare-and-set: it names the revision that it expects to
//! replace, and fails if another program changed the record first.

use std::fmt;
use std::io;
use std::path::PathBuf;

use sha2::{Digest as _, Sha256};
use zeroize::Zeroizing;

use super::record::{self, Record};
use super::{ChangeSource, ProfileLock, RotationDataStore, StoreError, StoreErrorKind};
use crate::profile::ProfileName;

/// Reads records from a store. Its calls block: keep them off the event loop.
pub trait StoreReader: Send + Sync {
    /// The stored record of the profile, with its revision.
    fn look(&self, profile: &ProfileName) -> StoreReading;

    /// The stored record of the profile; `None` if there is none.
    ///
    /// # Errors
    /// [`StoreError`] if the store or the record cannot be read or trusted.
    fn load(&self, profile: &ProfileName) -> Result<Option<Record>, StoreError> {
        self.look(profile).record
    }

    /// The places that show a change of the record; empty if no place shows one. Never blocks.
    fn change_sources(&self, _: &ProfileName) -> Vec<ChangeSource> {
        vec![]
    }

    /// Whether the client ID and the secret are kept in two places, so that one may change before the other.
    fn is_in_two_places(&self) -> bool {
        false
    }
}

/// Changes records in a store, on behalf of the holder of the profile's lock.
pub trait StoreWriter: StoreReader {
    /// Stores this record in place of the `expected` revision, atomically. Returns its revision.
    ///
    /// # Errors
    /// [`StoreErrorKind::Conflict`] if the stored revision is another one. After any other [`StoreError`],
    /// [`StoreError::changed`] says whether the new record may be in place despite the error.
    fn replace(
        &self,
        lock: &ProfileLock,
        expected: &Revision,
        record: &Record,
    ) -> Result<Revision, StoreError>;

    /// Removes the record if it is the `expected` revision; returns whether there was one.
    ///
    /// # Errors
    /// [`StoreErrorKind::Conflict`] if the stored revision is another one, or [`StoreError`] if the store cannot be
    /// changed.
    fn remove(&self, lock: &ProfileLock, expected: &Revision) -> Result<bool, StoreError>;
}

/// A store as the commands use it: they also choose a store, and print where a credential is.
pub trait Store: StoreWriter + RotationDataStore {
    /// The store's description for people.
    fn about(&self) -> About;

    /// The place of the profile's credential, for messages.
    fn place_of(&self, profile: &ProfileName) -> String;

    /// Checks whether the profile's credential could be stored or removed here now, without changing anything.
    ///
    /// # Errors
    /// Why it could not.
    fn probe(&self, profile: &ProfileName) -> Result<(), StoreError>;

    /// Lists the files that may hold a secret, each record with its profile; empty if the store has no files.
    ///
    /// # Errors
    /// [`StoreError`] if they cannot be listed.
    fn files(&self) -> Result<Vec<(PathBuf, Option<ProfileName>)>, StoreError> {
        Ok(vec![])
    }
}

/// The description of a store for people, and where it can be used.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct About {
    /// The kind of store, without an article, such as "OS keyring".
    pub noun: &'static str,
    /// The thing that holds one credential, such as "a file".
    pub name: &'static str,
    /// Whether it is in the state folder. Otherwise it belongs to the user's session, and a system daemon cannot use
    /// it.
    pub in_state: bool,
}

impl About {
    /// The full phrase for the thing that holds a credential.
    pub fn title(&self) -> String {
        match self.in_state {
            true => self.name.to_owned(),
            false => format!("the {} ({})", self.noun, self.name),
        }
    }
}

/// The result of reading a store.
#[derive(Debug)]
pub struct StoreReading {
    /// The stored record.
    pub record: Result<Option<Record>, StoreError>,
    /// The revision of the record.
    pub revision: Revision,
}

/// Identifies what a writer expects to replace. Two revisions are equal if nothing has changed in between.
#[derive(Clone, PartialEq, Eq)]
pub struct Revision(State);

#[derive(Clone, PartialEq, Eq)]
enum State {
    Absent,
    /// The SHA-256 of the stored bytes, whether or not they are a record.
    Kept([u8; 32]),
    /// The stored bytes could not be read. A writer that replaces the whole record need not read them.
    Unreadable,
}

/// The two places of a store, one for records and one for rotations. A new store implements this trait; [`Revision`]s
/// are compared here.
pub(super) trait Slots: Send + Sync {
    /// The place of records.
    fn records(&self) -> &dyn Backend;

    /// The place for the data that a rotation keeps beside the record.
    fn slot(&self) -> &dyn Backend;
}

/// Stores bytes for each profile.
pub(super) trait Backend: Send + Sync {
    /// The bytes that are stored for the profile.
    fn read(&self, profile: &ProfileName) -> Result<Option<Zeroizing<Vec<u8>>>, StoreError>;

    /// Replaces the stored bytes, atomically.
    fn write(&self, lock: &ProfileLock, bytes: &[u8]) -> Result<(), StoreError>;

    /// Deletes the stored bytes; returns whether there were any.
    fn delete(&self, lock: &ProfileLock) -> Result<bool, StoreError>;

    /// The bytes to store for a record's JSON.
    fn seal(
        &self,
        _: &ProfileName,
        json: Zeroizing<Vec<u8>>,
    ) -> Result<Zeroizing<Vec<u8>>, StoreErrorKind> {
        Ok(json)
    }

    /// The JSON in the bytes that are stored for the profile.
    fn open(
        &self,
        _: &ProfileName,
        stored: Zeroizing<Vec<u8>>,
    ) -> Result<Zeroizing<Vec<u8>>, StoreErrorKind> {
        Ok(stored)
    }

    /// The places that show a change of the stored bytes; empty if no place shows one.
    fn change_sources(&self, _: &ProfileName) -> Vec<ChangeSource> {
        vec![]
    }

    /// Builds an error about the profile's stored bytes.
    fn error(&self, profile: &ProfileName, kind: StoreErrorKind) -> StoreError;
}

impl<S: Slots> StoreReader for S {
    fn look(&self, profile: &ProfileName) -> StoreReading {
        let records = self.records();
        let read = records.read(profile);
        let revision = Revision::of(&read);
        let record = read.and_then(|bytes| match bytes {
            Some(bytes) => records
                .open(profile, bytes)
                .and_then(|json| record::from_json(&json))
                .map(Some)
                .map_err(|kind| records.error(profile, kind)),
            None => Ok(None),
        });
        StoreReading { record, revision }
    }

    fn change_sources(&self, profile: &ProfileName) -> Vec<ChangeSource> {
        self.records().change_sources(profile)
    }
}

impl<S: Slots> StoreWriter for S {
    fn replace(
        &self,
        lock: &ProfileLock,
        expected: &Revision,
        record: &Record,
    ) -> Result<Revision, StoreError> {
        let (records, profile) = (self.records(), lock.profile());
        let json = record::to_json(record).ok_or_else(|| {
            let kind = StoreErrorKind::Io {
                action: "keep a record of this size",
                source: io::ErrorKind::FileTooLarge.into(),
            };
            records.error(profile, kind)
        })?;
        let sealed = records.seal(profile, json);
        let sealed = sealed.map_err(|kind| records.error(profile, kind))?;
        compare(records, profile, expected)?;
        records.write(lock, &sealed)?;
        Ok(Revision::of(&Ok(Some(sealed))))
    }

    fn remove(&self, lock: &ProfileLock, expected: &Revision) -> Result<bool, StoreError> {
        compare(self.records(), lock.profile(), expected)?;
        self.records().delete(lock)
    }
}

/// Checks that the stored revision is the one that the writer expects.
fn compare(
    store: &dyn Backend,
    profile: &ProfileName,
    expected: &Revision,
) -> Result<(), StoreError> {
    let read = store.read(profile);
    let now = Revision::of(&read);
    match read {
        _ if now == *expected && !now.is_unreadable() => Ok(()),
        // The bytes were unreadable at both reads, so there is no sign of a change.
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

    /// Whether nothing is stored.
    pub fn is_absent(&self) -> bool {
        self.0 == State::Absent
    }

    /// Whether the stored bytes could not be read.
    pub(super) fn is_unreadable(&self) -> bool {
        self.0 == State::Unreadable
    }
}

impl fmt::Debug for Revision {
    /// Leaves the hash out: a short secret could be guessed from it.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self.0 {
            State::Absent => "Absent",
            State::Kept(_) => "Kept",
            State::Unreadable => "Unreadable",
        })
    }
}
