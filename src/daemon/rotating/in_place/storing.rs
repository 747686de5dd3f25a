//! Changes the record, the second slot and the journal of a rotation in place.

use tracing::{debug, warn};

use super::super::driver::Driver;
use super::journal;
use crate::applications::Family;
use crate::causes::Causes;
use crate::credential::ClientSecret;
use crate::profile::ProfileName;
use crate::rotation::{InPlaceEvent, InPlaceNotes, WriteOutcome};
use crate::store::{
    self, ProfileLock, ReceivedAt, Record, RotationData, RotationId, Store, StoreError, Stores,
    replace_if,
};

impl Driver {
    /// Writes the token and the last answer to the second slot.
    pub(super) async fn keep_in_slot(&mut self, notes: &InPlaceNotes) -> InPlaceEvent {
        let (Some(rotation), Some(token)) = (id(notes), &self.exchange.token) else {
            return InPlaceEvent::NotKept;
        };
        let kept = RotationData {
            rotation,
            token: token.share(),
            answer: self.exchange.answer.take(),
        };
        let (shared, name) = (self.shared(), self.name.clone());
        let written = self.blocking(move || {
            let written = match shared.store(&name) {
                Some(store) => keep(&shared.outside.stores, store.as_ref(), &name, &kept),
                None => Err("the profile is not in the configuration".to_owned()),
            };
            (written, kept.answer)
        });
        match written.await {
            Ok((written, answer)) => {
                self.exchange.answer = answer;
                match written {
                    Ok(()) => InPlaceEvent::Kept,
                    Err(why) => self.not_kept(why),
                }
            }
            Err(why) => self.not_kept(why),
        }
    }

    /// Writes the last answer to the second slot.
    pub(super) async fn keep_answer(&mut self, notes: &InPlaceNotes) -> InPlaceEvent {
        self.keep_in_slot(notes).await
    }

    fn not_kept(&mut self, why: String) -> InPlaceEvent {
        warn!(why, "the store keeps nothing for the rotation");
        self.exchange.trouble = Some(why);
        InPlaceEvent::NotKept
    }

    /// Writes the journal, then the rotation's ID into the record. This proves that the record can be written, and
    /// stops every other program from changing it.
    pub(super) async fn begin_noted(&mut self, notes: &InPlaceNotes) -> InPlaceEvent {
        if !self.note_in_place(notes).await {
            let why = "the rotation cannot be recorded in the state folder";
            self.exchange.trouble = Some(why.to_owned());
            return InPlaceEvent::NotNoted;
        }
        let notes = notes.clone();
        let written = self.change(move |store, lock| {
            let Some(id) = id(&notes) else {
                return WriteOutcome::Failed;
            };
            let is_ours = |record: &Record| is_of(record, &notes);
            result(replace_if(store, lock, None, |record| {
                is_ours(&record).then(|| record.rotating(id, None))?
            }))
        });
        match written.await {
            WriteOutcome::Done => InPlaceEvent::Noted,
            _ => {
                self.exchange.trouble = Some("the stored credential cannot be changed".to_owned());
                InPlaceEvent::NotNoted
            }
        }
    }

    /// Writes the journal with this machine as its owner.
    pub(super) async fn note_in_place(&mut self, notes: &InPlaceNotes) -> bool {
        let machine = &self.shared.outside.machine;
        let family = self.family.unwrap_or(Family::AccessKeys);
        match journal::of_notes(notes, machine, self.with.as_ref(), family) {
            Some(journal) => self.write_journal(journal, true).await,
            None => false,
        }
    }

    /// Puts the secret of the last answer in force.
    pub(super) async fn store_secret(&mut self, notes: &InPlaceNotes, hash: &str) -> WriteOutcome {
        let secret = self.exchange.secret();
        // Without the secret in memory, the stored record decides how to continue.
        let Some(secret) = secret.filter(|secret| secret.sha256() == hash) else {
            return WriteOutcome::Conflict;
        };
        let seen = ReceivedAt {
            at: self.shared.outside.clock.now().unix,
            server_date: self.exchange.date,
        };
        let notes = notes.clone();
        let change =
            move |store: &dyn Store, lock: &ProfileLock| put(store, lock, &notes, secret, seen);
        let written = self.change(change).await;
        match written {
            WriteOutcome::Done => {
                if let Some(handle) = self.shared.handle(&self.name) {
                    handle.recheck().await;
                }
            }
            _ => self.exchange.trouble = Some("the new secret is not stored yet".to_owned()),
        }
        written
    }

    /// Removes the rotation from the record, and empties the second slot.
    pub(super) async fn finish_exchange(&self, notes: &InPlaceNotes) -> WriteOutcome {
        let Some(id) = id(notes) else {
            return WriteOutcome::Failed;
        };
        self.change(move |store, lock| settle(store, lock, &id))
            .await
    }

    /// Removes what an earlier process left of this rotation from the record and the second slot.
    ///
    /// # Errors
    /// The reason why something is left, for people.
    pub(super) async fn clear(&self, id: &RotationId) -> Result<(), String> {
        let id = id.clone();
        match self
            .change(move |store, lock| settle(store, lock, &id))
            .await
        {
            WriteOutcome::Done => Ok(()),
            _ => Err("what an earlier rotation has left in the store stays".to_owned()),
        }
    }

    /// Changes the stored record while it holds the profile's lock.
    async fn change(
        &self,
        change: impl FnOnce(&dyn Store, &ProfileLock) -> WriteOutcome + Send + 'static,
    ) -> WriteOutcome {
        let (shared, name) = (self.shared(), self.name.clone());
        let changed = self.blocking(move || {
            // The profile may be missing from the configuration now and come back later.
            let store = shared.store(&name)?;
            match shared.outside.stores.lock(&name) {
                Ok(lock) => Some(change(store.as_ref(), &lock)),
                Err(error) => {
                    debug!(error = %Causes(&error), "the profile cannot be locked");
                    None
                }
            }
        });
        changed.await.ok().flatten().unwrap_or(WriteOutcome::Failed)
    }
}

/// Returns the rotation's ID in the store's type, which has the same form.
pub(super) fn id(notes: &InPlaceNotes) -> Option<RotationId> {
    RotationId::parse(notes.rotation.as_str())
}

pub(super) fn is_of(record: &Record, notes: &InPlaceNotes) -> bool {
    record.key.credential.client_id == notes.key.client_id
}

fn keep(
    stores: &Stores,
    store: &dyn Store,
    name: &ProfileName,
    kept: &RotationData,
) -> Result<(), String> {
    let said = |error: StoreError| Causes(&error).to_string();
    let lock = stores.lock(name).map_err(said)?;
    store.keep(&lock, kept).map_err(said)
}

/// Puts this secret in force. The record has the rotation's ID, unless an older program has rewritten the record
/// since.
fn put(
    store: &dyn Store,
    lock: &ProfileLock,
    notes: &InPlaceNotes,
    secret: ClientSecret,
    seen: ReceivedAt,
) -> WriteOutcome {
    let Some(id) = id(notes) else {
        return WriteOutcome::Failed;
    };
    let expected = match store.load(lock.profile()) {
        Ok(record) => record.as_ref().and_then(Record::rotation_id).cloned(),
        Err(error) => {
            debug!(error = %Causes(&error), "the record cannot be read");
            return WriteOutcome::Failed;
        }
    };
    if expected.as_ref().is_some_and(|it| *it != id) {
        return WriteOutcome::Conflict;
    }
    result(replace_if(store, lock, expected.as_ref(), |record| {
        let is_claimed = expected.is_some();
        let is_as_noted = is_claimed || record.key.credential.client_secret.sha256() == notes.old;
        match is_of(&record, notes) && is_as_noted {
            true => record.renewed(id, secret, seen),
            false => None,
        }
    }))
}

fn settle(store: &dyn Store, lock: &ProfileLock, id: &RotationId) -> WriteOutcome {
    let record = match store.load(lock.profile()) {
        Ok(record) => record,
        Err(error) => {
            debug!(error = %Causes(&error), "the record cannot be read");
            return WriteOutcome::Failed;
        }
    };
    if record.is_some_and(|record| record.rotation_id() == Some(id)) {
        let written = result(replace_if(store, lock, Some(id), |it| Some(it.settled())));
        if written != WriteOutcome::Done {
            return written;
        }
    }
    match store.forget(lock) {
        Ok(_) => WriteOutcome::Done,
        Err(error) => {
            debug!(error = %Causes(&error), "the second slot is not empty");
            WriteOutcome::Failed
        }
    }
}

fn result(written: store::ReplaceOutcome) -> WriteOutcome {
    match written {
        store::ReplaceOutcome::Done(_) => WriteOutcome::Done,
        store::ReplaceOutcome::Conflict => WriteOutcome::Conflict,
        store::ReplaceOutcome::Failed { error, .. } => {
            debug!(error = %Causes(&error), "the record is not changed");
            WriteOutcome::Failed
        }
        store::ReplaceOutcome::Unknown { error, .. } => {
            debug!(error = %Causes(&error), "the record may be changed");
            WriteOutcome::Unknown
        }
    }
}
