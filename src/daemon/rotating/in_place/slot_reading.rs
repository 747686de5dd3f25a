//! Reads what the store has for a rotation in place.

use tracing::{debug, warn};

use super::super::driver::Driver;
use super::super::rotation_wait::EMPTY;
use super::storing::{id, is_of};
use crate::applications::secret_of;
use crate::causes::Causes;
use crate::profile::ProfileName;
use crate::rotation::{InPlaceNotes, SecretHash, Slot};
use crate::store::{RotationData, Store, StoreErrorKind};

/// The result of reading the store.
pub(super) enum SlotReading {
    /// The store or the second slot cannot be read now, or there is no record: the profile may have another store.
    Unreadable,
    /// Another program has put another key in force, or begun another rotation.
    Replaced,
    /// The secret in force, and what the second slot has.
    Found(SecretHash, Slot),
}

impl Driver {
    /// Reads the record and the second slot.
    pub(super) async fn look_in_place(&mut self, notes: &InPlaceNotes) -> SlotReading {
        let (shared, name, of) = (self.shared(), self.name.clone(), notes.clone());
        let looked = self.blocking(move || look(shared.store(&name)?.as_ref(), &name, &of));
        let Ok(Some((looked, kept))) = looked.await else {
            self.exchange.trouble = self
                .record()
                .await
                .map_or_else(Some, |record| record.is_none().then(|| EMPTY.to_owned()));
            return SlotReading::Unreadable;
        };
        if let Some(kept) = kept {
            self.exchange.token = Some(kept.token);
            self.exchange.answer = kept.answer;
        }
        looked
    }
}

fn look(
    store: &dyn Store,
    name: &ProfileName,
    notes: &InPlaceNotes,
) -> Option<(SlotReading, Option<RotationData>)> {
    let record = match store.load(name) {
        Ok(Some(record)) => record,
        Ok(None) => return None,
        Err(error) => {
            debug!(error = %Causes(&error), "the record cannot be read");
            return None;
        }
    };
    let id = id(notes)?;
    let is_other = record.rotation_id().is_some_and(|it| *it != id);
    if is_other || !is_of(&record, notes) {
        return Some((SlotReading::Replaced, None));
    }
    let kept = match store.kept(name) {
        Ok(kept) => kept.filter(|kept| kept.rotation == id),
        Err(error) if matches!(error.kind, StoreErrorKind::NotUnderstood(_)) => {
            warn!(error = %Causes(&error), "what was kept for the rotation is lost");
            None
        }
        Err(error) => {
            debug!(error = %Causes(&error), "the second slot cannot be read");
            return None;
        }
    };
    let current = record.key.credential.client_secret.sha256();
    // A secret that another program has stored since then is newer than the kept answer.
    let is_answer_newer = record.rotation.is_some() || current == notes.old;
    let slot = match &kept {
        None => Slot::Empty,
        Some(kept) => match kept.answer.as_ref().and_then(secret_of) {
            Some(secret) if is_answer_newer => Slot::Answer(secret.sha256()),
            _ => Slot::Token,
        },
    };
    Some((SlotReading::Found(current, slot), kept))
}
