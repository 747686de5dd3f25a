//! Changes the stored record for a rotation.
//!
//! All functions block.

use std::sync::{Mutex, PoisonError};

use tracing::debug;

use crate::causes::Causes;
use crate::profile::ProfileName;
use crate::rotation::{self, Change, KeyRef, RecordView};
use crate::store::{Key, Record, ReplaceOutcome, RotationId, Store, Stores, replace_if};

/// The key that the issuer created, until its secret is in the record.
pub(super) type MadeKey = Mutex<Option<Key>>;

/// Makes this change of the profile's record. If the write was not made, or may not have been, the reason comes with
/// it.
pub(super) fn change(
    stores: &Stores,
    store: &dyn Store,
    profile: &ProfileName,
    change: &Change,
    made: &MadeKey,
) -> (rotation::WriteOutcome, Option<String>) {
    let lock = match stores.lock(profile) {
        Ok(lock) => lock,
        Err(error) => {
            debug!(error = %Causes(&error), "the profile cannot be locked");
            return (
                rotation::WriteOutcome::Failed,
                Some(Causes(&error).to_string()),
            );
        }
    };
    let (Change::PutNext { rotation: id, .. }
    | Change::Switch(id)
    | Change::Restore(id, _)
    | Change::Finish(id)) = change;
    let Some(id) = RotationId::parse(id.as_str()) else {
        return (rotation::WriteOutcome::Failed, None);
    };
    let mut made = made.lock().unwrap_or_else(PoisonError::into_inner);
    let written = match change {
        Change::PutNext { current, next, .. } => {
            let is_next = |key: &Key| key.credential.client_id == next.client_id;
            if !made.as_ref().is_some_and(is_next) {
                let why = "the new secret is not there".to_owned();
                return (rotation::WriteOutcome::Failed, Some(why));
            }
            replace_if(store, &lock, None, |record| {
                if record.key.credential.client_id != current.client_id {
                    return None;
                }
                record.rotating(id, made.take())
            })
        }
        Change::Switch(_) => replace_if(store, &lock, Some(&id), Record::switched),
        Change::Restore(_, key) => {
            let restored = |record: Record| record.restored(&key.client_id);
            replace_if(store, &lock, Some(&id), restored)
        }
        Change::Finish(_) => replace_if(store, &lock, Some(&id), |record| Some(record.settled())),
    };
    let (written, intended, why) = match written {
        ReplaceOutcome::Done(_) => (rotation::WriteOutcome::Done, None, None),
        ReplaceOutcome::Conflict => (rotation::WriteOutcome::Conflict, None, None),
        ReplaceOutcome::Failed { intended, error } => {
            debug!(error = %Causes(&error), "the record is not changed");
            let why = Causes(&error).to_string();
            (rotation::WriteOutcome::Failed, intended, Some(why))
        }
        ReplaceOutcome::Unknown { intended, error } => {
            debug!(error = %Causes(&error), "the record may be changed");
            let why = Causes(&error).to_string();
            (rotation::WriteOutcome::Unknown, Some(intended), Some(why))
        }
    };
    if let (Change::PutNext { .. }, Some(intended)) = (change, intended) {
        // This is the only copy of the secret, so the next try needs it.
        let begun = intended.rotation.and_then(|rotation| rotation.other);
        *made = begun.map(crate::store::OtherKey::into_key);
    }
    (written, why)
}

/// Returns the record as a rotation sees it.
pub(super) fn view(record: &Record) -> Option<RecordView> {
    let other = record.rotation.as_ref().and_then(|it| it.other.as_ref());
    let rotation = record.rotation_id();
    let rotation = rotation.map(|id| rotation::RotationId::parse(id.as_str()));
    Some(RecordView {
        // Both types have the same form.
        rotation: rotation.map_or(Some(None), |id| id.map(Some))?,
        current: refer(&record.key),
        next: other.and_then(|other| other.next()).map(refer),
        previous: other.and_then(|other| other.previous()).map(refer),
    })
}

fn refer(key: &Key) -> KeyRef {
    KeyRef {
        client_id: key.credential.client_id.clone(),
        id: key.key_id.clone(),
        name: key.key_name.clone(),
    }
}
