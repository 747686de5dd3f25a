//! The content of a rotation's journal: no secret, and nothing that the record states better.

use super::grace::Grace;
use super::record::{KeyRef, RecordView, RotationId};

/// The content of the journal of a rotation with overlap.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Notes {
    /// The rotation's ID.
    pub rotation: RotationId,
    /// The name of the new key. Every try uses the same name, so that a call which is executed late cannot make a
    /// second key.
    pub name: String,
    /// The key that is to be replaced.
    pub old: KeyRef,
    /// The key that replaces it, once it is in the record.
    pub new: Option<KeyRef>,
    /// How far the rotation is.
    pub phase: Phase,
    /// The state of the grace period, from the switch on.
    pub grace: Option<Grace>,
}

/// How far a rotation is. The journal names a phase before the phase's first action.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Phase {
    /// The issuer may have created a key.
    Creating,
    /// The new key is in the record as the next key.
    Proving,
    /// The rotation is being undone, for this reason.
    Undoing(Reason),
    /// The new key is in force.
    Grace,
    /// The issuer may have deleted the old key.
    Deleting,
}

/// The reason why a rotation was undone.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Reason {
    /// The issuer did not create a key.
    NotCreated,
    /// The bearer may not create keys (403).
    MayNotCreate,
    /// The record could not be changed.
    NotStored,
    /// Another program changed the record.
    RecordChanged,
    /// The issuer still rejects the new key after 2 minutes.
    NewKeyRejected,
    /// The new key allows less than the old one.
    FewerRights,
    /// The new key is no longer at the issuer.
    NewKeyGone,
}

/// How the record relates to a rotation.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) enum RecordRelation {
    /// The old key is in force, and this new key is the next one.
    Next(KeyRef),
    /// This new key is in force.
    Switched(KeyRef),
    /// The old key is in force, and the record has no next key.
    Old,
    /// Another key is in force, or the record belongs to another rotation.
    Foreign,
}

// === impl Notes ===

impl Notes {
    /// Returns the notes for a rotation whose journal is missing, as far as the record and the naming rule give them;
    /// `None` if the record is not part of a rotation.
    pub fn of_record(record: &RecordView, name: String) -> Option<Self> {
        let rotation = record.rotation.clone()?;
        let (phase, old, new) = match (&record.next, &record.previous) {
            (Some(next), _) => (Phase::Proving, &record.current, next),
            // Both are the same key: its secret was replaced in place.
            (None, Some(previous)) if previous.is(&record.current) => return None,
            (None, Some(previous)) => (Phase::Grace, previous, &record.current),
            (None, None) => return None,
        };
        Some(Self {
            rotation,
            name: new.name.clone().unwrap_or(name),
            old: old.clone(),
            new: Some(new.clone()),
            phase,
            grace: None,
        })
    }

    pub(super) fn relation(&self, record: &RecordView) -> RecordRelation {
        let is_new = |key: &KeyRef| self.new.as_ref().is_some_and(|new| new.is(key));
        let current = &record.current;
        match (&record.rotation, &record.next, &record.previous) {
            (Some(id), _, _) if *id != self.rotation => RecordRelation::Foreign,
            (Some(_), Some(next), _) if current.is(&self.old) => RecordRelation::Next(next.clone()),
            (Some(_), None, Some(old)) if old.is(&self.old) => {
                RecordRelation::Switched(current.clone())
            }
            // Either a program that does not know rotations has rewritten the record, or the last write ended the
            // rotation.
            _ if current.is(&self.old) => RecordRelation::Old,
            _ if is_new(current) => RecordRelation::Switched(current.clone()),
            _ => RecordRelation::Foreign,
        }
    }
}
