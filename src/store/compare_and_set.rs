//! Compare-and-set writes of a record whose key is being rotated. Each compares the ID of the rotation, because the
//! lock of a profile may exclude only programs of one machine: home folders on a network are often shared.

use super::{
    ProfileLock, Record, RotationId, StoreError, StoreErrorKind, StoreReader, StoreWriter,
};
use crate::profile::ProfileName;

/// The outcome of a write.
#[derive(Debug)]
pub enum ReplaceOutcome {
    /// This record is in the store, and was read back.
    Done(Box<Record>),
    /// Another program has changed the stored record. Ours was not written, or was replaced already.
    Conflict,
    /// Nothing was written.
    Failed {
        /// The record that was to be written, if there was one.
        intended: Option<Box<Record>>,
        /// The reason.
        error: StoreError,
    },
    /// The outcome is not known: the record may be in the store, may get there later, or may not survive a power
    /// failure.
    Unknown {
        /// The record that was to be written.
        intended: Box<Record>,
        /// The reason why the outcome is not known.
        error: StoreError,
    },
}

/// The stored record after a write with an unknown outcome.
#[derive(Debug)]
pub enum ReadBack {
    /// The record that was to be written.
    Intended,
    /// Another record, or no record. The delayed write may still replace it.
    Other(Option<Box<Record>>),
    /// The record cannot be read now.
    Unreadable(StoreError),
}

/// Replaces the stored record by the result of `change`, if the record belongs to the rotation `expected`; `None`
/// expects a record without a rotation. A `change` that returns `None` counts as a conflict. The comparison includes
/// all stored bytes, so a change between reading and writing is a conflict, too. Blocks.
pub fn replace_if(
    store: &(impl StoreWriter + ?Sized),
    lock: &ProfileLock,
    expected: Option<&RotationId>,
    change: impl FnOnce(Record) -> Option<Record>,
) -> ReplaceOutcome {
    let look = store.look(lock.profile());
    let stored = match look.record {
        Ok(stored) => stored.filter(|record| record.rotation_id() == expected),
        Err(error) => {
            let intended = None;
            return ReplaceOutcome::Failed { intended, error };
        }
    };
    let Some(record) = stored.and_then(change).map(Box::new) else {
        return ReplaceOutcome::Conflict;
    };
    let written = match store.replace(lock, &look.revision, &record) {
        Ok(written) => written,
        Err(error) if matches!(error.kind, StoreErrorKind::Conflict) => {
            return ReplaceOutcome::Conflict;
        }
        Err(error) if error.changed => {
            return ReplaceOutcome::Unknown {
                intended: record,
                error,
            };
        }
        Err(error) => {
            let intended = Some(record);
            return ReplaceOutcome::Failed { intended, error };
        }
    };
    let back = store.look(lock.profile());
    match back.record {
        // Holds even if the store was locked meanwhile: the stored bytes are the same.
        _ if back.revision == written => ReplaceOutcome::Done(record),
        Err(error) if back.revision.is_unreadable() => ReplaceOutcome::Unknown {
            intended: record,
            error,
        },
        _ => ReplaceOutcome::Conflict,
    }
}

/// Checks whether a record that was to be written is stored now. Blocks.
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
