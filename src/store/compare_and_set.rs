//! Writes of a record whose key is being rotated. Each compares the ID of the rotation, since the lock of a profile may
//! hold on one machine only: a home on a network is often shared.

use super::{
    ProfileLock, Record, RotationId, StoreError, StoreErrorKind, StoreReader, StoreWriter,
};
use crate::profile::ProfileName;

/// The outcome of a write.
#[derive(Debug)]
pub enum Written {
    /// This record is in the store, and was read back.
    Done(Box<Record>),
    /// Another program has changed what is stored: the record was not written, or is replaced already.
    Conflict,
    /// Nothing was written.
    Failed {
        /// The record that was to be written, if there was one.
        intended: Option<Box<Record>>,
        /// Why.
        error: StoreError,
    },
    /// The record may be in the store, or get there later, or not outlive a power failure.
    Unknown {
        /// The record that was to be written.
        intended: Box<Record>,
        /// Why its fate is not known.
        error: StoreError,
    },
}

/// What is stored after a write whose outcome was not known.
#[derive(Debug)]
pub enum ReadBack {
    /// The record that was to be written.
    Intended,
    /// Another record, or none. A write that is late may still take its place.
    Other(Option<Box<Record>>),
    /// It cannot be read now.
    Unreadable(StoreError),
}

/// Replaces the stored record by what `change` makes of it, if it belongs to the rotation that is `expected`; `None`
/// expects a record whose key is not being rotated. Where `change` makes nothing, the record is not what was expected
/// either. The comparison includes everything that is stored, so a change between reading and writing is a conflict,
/// too. Blocks.
pub fn replace_if(
    store: &(impl StoreWriter + ?Sized),
    lock: &ProfileLock,
    expected: Option<&RotationId>,
    change: impl FnOnce(Record) -> Option<Record>,
) -> Written {
    let look = store.look(lock.profile());
    let stored = match look.record {
        Ok(stored) => stored.filter(|record| record.rotation_id() == expected),
        Err(error) => {
            let intended = None;
            return Written::Failed { intended, error };
        }
    };
    let Some(record) = stored.and_then(change).map(Box::new) else {
        return Written::Conflict;
    };
    let written = match store.replace(lock, &look.revision, &record) {
        Ok(written) => written,
        Err(error) if matches!(error.kind, StoreErrorKind::Conflict) => return Written::Conflict,
        Err(error) if error.changed => {
            return Written::Unknown {
                intended: record,
                error,
            };
        }
        Err(error) => {
            let intended = Some(record);
            return Written::Failed { intended, error };
        }
    };
    let back = store.look(lock.profile());
    match back.record {
        // Also where the store was locked in between: the stored bytes are the same.
        _ if back.revision == written => Written::Done(record),
        Err(error) if back.revision.is_unreadable() => Written::Unknown {
            intended: record,
            error,
        },
        _ => Written::Conflict,
    }
}

/// Whether a record that was to be written is stored now. Blocks.
pub fn read_back(
    store: &(impl StoreReader + ?Sized),
    profile: &ProfileName,
    intended: &Record,
) -> ReadBack {
    match store.load(profile) {
        Ok(Some(record)) if record.is_same_as(intended) => ReadBack::Intended,
        Ok(other) => ReadBack::Other(other.map(Box::new)),
        Err(error) => ReadBack::Unreadable(error),
    }
}

#[cfg(test)]
mod tests;
