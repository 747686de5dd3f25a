//! The commands of a rotation's state machine to its executor.

use super::notes::{Notes, Reason};
use super::pause::Pause;
use super::preflight::StartRefusal;
use super::record::{KeyRef, RotationId};

/// The next action of the executor, which performs only this and passes the outcome to the state machine.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Command {
    /// Read the issuer's list of keys. Outcomes: [`Event::Listed`](super::Event::Listed), `Refused`, `Lost` or
    /// `NotSent`.
    List,
    /// Create a key of this name. Outcomes: `Created`, `Refused`, `Lost` or `NotSent`.
    Create(String),
    /// Delete this key by its ID. Outcomes: `Deleted`, `Refused`, `Lost` or `NotSent`.
    Delete(KeyRef),
    /// Change the record. Outcome: `Stored`.
    Store(Change),
    /// Wait until no write to the store is unfinished, including writes of an earlier process. Outcome: `Settled`. A
    /// file needs no wait. A keyring needs the end of a stuck call, or after a restart one minute in which it
    /// answers.
    Settle,
    /// Read the record. Outcomes: `Record` or `Unreadable`.
    Read,
    /// Write the journal, and sync it and its folder. Outcomes: `Noted` or `NotNoted`.
    Note(Box<Notes>),
    /// Remove the journal. Outcomes: `Noted` or `NotNoted`.
    RemoveNotes,
    /// Get a token with the record's next key, and compare the access rules. Outcomes: `Proved`, `Rejected`, `Lost`
    /// or `NotSent`. The attempt counts neither as a rejection nor for the circuit breaker. The profile begins to
    /// serve the token at the switch.
    Prove(KeyRef),
    /// Wait until this moment. Outcomes: `Woken`, also after a suspend, or `Finish` when the user asks for it.
    Pause(Pause),
    /// The rotation is over. No further command follows.
    End(End),
}

/// A change of the record: a compare-and-set on its rotation ID and the client ID in force.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Change {
    /// Store the key that was just created as the next key, and the rotation's ID.
    PutNext {
        /// The rotation; the record has none yet.
        rotation: RotationId,
        /// The key that is in force and stays in force.
        current: KeyRef,
        /// The new key.
        next: KeyRef,
    },
    /// Make `next` the key in force, and the one in force `previous`.
    Switch(RotationId),
    /// Make this key, which is in force or is `previous`, the one in force. Remove the other key and the rotation's
    /// ID.
    Restore(RotationId, KeyRef),
    /// Remove `previous` and the rotation's ID.
    Finish(RotationId),
}

/// How a rotation ended.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum End {
    /// The rotation was refused. Nothing was changed anywhere.
    Refused(StartRefusal),
    /// The new key is in force.
    Rotated {
        /// Whether the old key stays because another machine uses it as well.
        is_old_kept: bool,
        /// The names of keys that the issuer refused to delete (`old_key_left`).
        left: Vec<String>,
    },
    /// The old key stays in force, or another program put another key in force.
    Undone {
        /// The reason.
        reason: Reason,
        /// The names of keys that the issuer refused to delete.
        left: Vec<String>,
    },
    /// No key of the record is at the issuer (`needs_human`). The rotation stops, and the journal stays.
    NeedsHuman,
}
