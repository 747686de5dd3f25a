//! What a state machine of a rotation asks its executor to do.

use super::notes::{Notes, Reason};
use super::pause::Pause;
use super::preflight::Refusal;
use super::record::{KeyRef, RotationId};

/// The next action. The executor performs it and passes its outcome to the machine, nothing else.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Command {
    /// Read the issuer's list of keys: [`Event::Listed`](super::Event::Listed), `Refused`, `Lost` or `NotSent`.
    List,
    /// Create a key of this name: `Created`, `Refused`, `Lost` or `NotSent`.
    Create(String),
    /// Delete this key by its ID: `Deleted`, `Refused`, `Lost` or `NotSent`.
    Delete(KeyRef),
    /// Change the record: `Stored`.
    Store(Change),
    /// Wait until no write to the store is unfinished, those of an earlier process included: `Settled`. A file needs no
    /// wait; a keyring needs the end of the stuck call, or after a restart a minute in which it answers.
    Settle,
    /// Read the record: `Record` or `Unreadable`.
    Read,
    /// Write the journal and sync it and its folder: `Noted` or `NotNoted`.
    Note(Box<Notes>),
    /// Remove the journal: `Noted` or `NotNoted`.
    RemoveNotes,
    /// Get a token with the key beside the one in force, by an attempt that counts neither as a rejection nor for the
    /// breaker, and compare the access rules: `Proved`, `Rejected`, `Lost` or `NotSent`. The token becomes the held one
    /// at the switch.
    Prove(KeyRef),
    /// Wait until this moment: `Woken`. Also `Woken` after a suspend, and `Finish` when the user asks for it.
    Pause(Pause),
    /// It is over. There is no further command.
    End(End),
}

/// A change of the record: a compare-and-set on its rotation ID and the client ID in force.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Change {
    /// Put the key that was just created beside the one in force, and the rotation's ID into the record.
    PutNext {
        /// The rotation; the record has none yet.
        rotation: RotationId,
        /// The key that is in force and stays so.
        current: KeyRef,
        /// The new key.
        next: KeyRef,
    },
    /// Make `next` the key in force, and the one in force `previous`.
    Switch(RotationId),
    /// Make this key the one in force, which is the one or is `previous`; remove the other one and the rotation's ID.
    Restore(RotationId, KeyRef),
    /// Remove `previous` and the rotation's ID.
    Finish(RotationId),
}

/// How a rotation ended.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum End {
    /// It was refused. Nothing was changed anywhere.
    Refused(Refusal),
    /// The new key is in force.
    Rotated {
        /// Whether the old key stays because another machine uses it as well.
        is_old_kept: bool,
        /// The names of keys that the issuer did not let us delete (`old_key_left`).
        left: Vec<String>,
    },
    /// The old key stays in force, or another program put another one in force.
    Undone {
        /// Why.
        reason: Reason,
        /// The names of keys that the issuer did not let us delete.
        left: Vec<String>,
    },
    /// Neither key of the record is at the issuer (`needs_human`). Nothing more is done, and the journal stays.
    NeedsHuman,
}
