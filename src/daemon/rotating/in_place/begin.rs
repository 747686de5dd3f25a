//! Makes the state machine of a rotation in place: a new one, or one from its journal or the store.

use tracing::{debug, info};

use super::super::driver::Driver;
use super::super::how::HowToRotate;
use super::super::prepared::PreparedRotation;
use super::super::refused::RotationRefused;
use super::journal;
use crate::causes::Causes;
use crate::rotation::{InPlace, InPlaceNotes, KeyRef, RotationId};
use crate::store::{OtherKey, Record, RotationJournal, StoreErrorKind};

/// What the store has for a rotation in place whose journal is missing.
enum Leftover {
    /// The new secret is in the record or in the kept answer. The rotation is resumed with these notes.
    Begun(Box<InPlaceNotes>),
    /// No call was made to the issuer.
    Nothing,
}

impl Driver {
    /// Returns the state machine of the rotation in place to which this journal belongs.
    pub(in crate::daemon::rotating) async fn resume_in_place(
        &mut self,
        journal: &RotationJournal,
    ) -> Result<PreparedRotation, RotationRefused> {
        let Some((notes, family)) = journal::notes(journal) else {
            return Err(RotationRefused::NeedsHuman {
                why: "its journal contains a value that this version does not know".to_owned(),
                keys: journal.former.name.clone().into_iter().collect(),
            });
        };
        info!(
            rotation = notes.rotation.as_str(),
            "rotation in place goes on"
        );
        self.family = Some(family);
        self.with.clone_from(&journal.with);
        // A journal of another host or of an earlier boot is rewritten as ours.
        if !self.note_in_place(&notes).await {
            debug!("the journal that was found cannot be written now");
        }
        Ok(self.resumed(notes))
    }

    /// Returns the state machine of a rotation in place whose journal is missing, after other leftovers are cleared;
    /// `None` if there is no rotation to resume.
    pub(in crate::daemon::rotating) async fn resume_from_store(
        &mut self,
        record: Option<&Record>,
    ) -> Result<Option<PreparedRotation>, RotationRefused> {
        let Some(record) = record else {
            return Ok(None);
        };
        let (shared, name) = (self.shared(), self.name.clone());
        let kept = self.blocking(move || shared.store(&name).map(|store| store.kept(&name)));
        let kept = match kept.await.map_err(RotationRefused::System)? {
            Some(Ok(kept)) => kept,
            // It cannot be told apart from data of another program. Its profile reports it, and nothing is resumed.
            Some(Err(error)) if matches!(error.kind, StoreErrorKind::NotUnderstood(_)) => {
                debug!(error = %Causes(&error), "the second slot cannot be understood");
                None
            }
            // An empty slot would be cleared below, and this one may have the only copy of the new secret.
            Some(Err(error)) => {
                return Err(RotationRefused::System(Causes(&error).to_string()));
            }
            None => None,
        };
        let of_kept = kept.as_ref().map(|kept| &kept.rotation);
        let answer = kept.as_ref().and_then(|kept| kept.answer.as_ref());
        let begun = match (&record.rotation, of_kept) {
            (Some(begun), _) => match &begun.other {
                Some(OtherKey::Previous(former)) if is_same_client(record, former) => notes_of(
                    record,
                    begun.id.as_str(),
                    former.credential.client_secret.sha256(),
                ),
                None if answer.is_some() && of_kept == Some(&begun.id) => {
                    let current = record.key.credential.client_secret.sha256();
                    notes_of(record, begun.id.as_str(), current)
                }
                None => Leftover::Nothing,
                // The record belongs to a rotation with overlap.
                Some(_) => return Ok(None),
            },
            (None, Some(id)) if answer.is_some() => {
                let current = record.key.credential.client_secret.sha256();
                notes_of(record, id.as_str(), current)
            }
            (None, Some(_)) => Leftover::Nothing,
            (None, None) => return Ok(None),
        };
        match begun {
            Leftover::Begun(notes) => {
                info!(
                    rotation = notes.rotation.as_str(),
                    "the in-place rotation continues without its journal"
                );
                if !self.note_in_place(&notes).await {
                    debug!("the journal cannot be written now");
                }
                Ok(Some(self.resumed(*notes)))
            }
            Leftover::Nothing => {
                debug!("a rotation in place was left before it asked the issuer for anything");
                let id = record.rotation_id().or(of_kept).cloned();
                if let Some(id) = id {
                    self.clear(&id).await.map_err(RotationRefused::System)?;
                }
                Ok(None)
            }
        }
    }

    /// Returns the state machine of a new rotation in place.
    pub(in crate::daemon::rotating) async fn new_in_place(
        &mut self,
        how: &HowToRotate,
        rotation: RotationId,
        record: &Record,
    ) -> Result<PreparedRotation, RotationRefused> {
        let key = self.find_in_place(how, record).await?;
        info!(rotation = rotation.as_str(), "rotation in place begins");
        let notes = InPlaceNotes {
            rotation,
            key,
            old: record.key.credential.client_secret.sha256(),
        };
        let now = self.shared.outside.clock.now().boot;
        Ok(PreparedRotation::InPlace(Box::new(InPlace::new(
            notes, now,
        ))))
    }

    fn resumed(&self, notes: InPlaceNotes) -> PreparedRotation {
        let now = self.shared.outside.clock.now().boot;
        PreparedRotation::InPlace(Box::new(InPlace::resume(notes, now)))
    }
}

fn is_same_client(record: &Record, key: &crate::store::Key) -> bool {
    key.credential.client_id == record.key.credential.client_id
}

fn notes_of(record: &Record, id: &str, old: String) -> Leftover {
    let Some(rotation) = RotationId::parse(id) else {
        return Leftover::Nothing;
    };
    let key = KeyRef {
        client_id: record.key.credential.client_id.clone(),
        id: record.key.key_id.clone(),
        name: record.key.key_name.clone(),
    };
    Leftover::Begun(Box::new(InPlaceNotes { rotation, key, old }))
}
