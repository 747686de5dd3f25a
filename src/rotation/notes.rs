//! What the journal of a rotation says: no secret, and nothing that the record does not decide better.

use super::grace::Grace;
use super::record::{KeyRef, RecordView, RotationId};

/// The content of the journal of a rotation with overlap.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Notes {
    /// The rotation.
    pub rotation: RotationId,
    /// The name of the new key. Every try creates under the same one, so that a call which is executed late cannot make
    /// a second key.
    pub name: String,
    /// The key that is to be replaced.
    pub old: KeyRef,
    /// The key that replaces it, once it is stored.
    pub new: Option<KeyRef>,
    /// How far it is.
    pub phase: Phase,
    /// What the grace period is judged by, from the switch on.
    pub grace: Option<Grace>,
}

/// How far a rotation is. The journal names a phase before the first action of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Phase {
    /// A key may have been created.
    Creating,
    /// The new key is in the record, beside the one in force.
    Proving,
    /// The rotation is undone.
    Undoing(Reason),
    /// The new key is in force.
    Grace,
    /// The old key may have been deleted.
    Deleting,
}

/// Why a rotation was undone.
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
    /// The new key may do less than the old one.
    FewerRights,
    /// The new key is no longer at the issuer.
    NewKeyGone,
}

/// What the record says about a rotation.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) enum Relation {
    /// The new key is beside the old one.
    Next(KeyRef),
    /// The new key is in force.
    Switched(KeyRef),
    /// The old key is in force, and nothing is beside it.
    Old,
    /// Another key is in force, or another rotation is under way.
    Foreign,
}

// === impl Notes ===

impl Notes {
    /// The journal of a rotation whose journal is missing, as far as the record and the name's rule give it; `None` if
    /// the record is not part of one.
    pub fn of_record(record: &RecordView, name: String) -> Option<Self> {
        let rotation = record.rotation.clone()?;
        let (phase, old, new) = match (&record.next, &record.previous) {
            (Some(next), _) => (Phase::Proving, &record.current, next),
            // A key beside itself has got another secret in place.
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

    pub(super) fn relation(&self, record: &RecordView) -> Relation {
        let is_new = |key: &KeyRef| self.new.as_ref().is_some_and(|new| new.is(key));
        let current = &record.current;
        match (&record.rotation, &record.next, &record.previous) {
            (Some(id), _, _) if *id != self.rotation => Relation::Foreign,
            (Some(_), Some(next), _) if current.is(&self.old) => Relation::Next(next.clone()),
            (Some(_), None, Some(old)) if old.is(&self.old) => Relation::Switched(current.clone()),
            // A program that does not know rotations rewrote the record, or the last write has ended the rotation.
            _ if current.is(&self.old) => Relation::Old,
            _ if is_new(current) => Relation::Switched(current.clone()),
            _ => Relation::Foreign,
        }
    }
}
