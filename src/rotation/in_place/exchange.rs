//! What a rotation in place is told, what it asks for, and what its journal says.

use super::super::event::{Refused, Written};
use super::super::pause::Pause;
use super::super::record::{KeyRef, RotationId};

/// The SHA-256 of a secret, in hexadecimal digits.
pub type SecretHash = String;

/// The content of the journal of a rotation in place.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct InPlaceNotes {
    /// The rotation.
    pub rotation: RotationId,
    /// The key, with its ID at the issuer.
    pub key: KeyRef,
    /// The secret that is to be replaced.
    pub old: SecretHash,
}

/// The second slot of the profile's store.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Slot {
    /// Nothing is kept.
    Empty,
    /// A token is kept.
    Token,
    /// A token is kept, and the issuer's answer with this secret.
    Answer(SecretHash),
}

/// The outcome of a command.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum InPlaceEvent {
    /// The token or the answer is kept in the second slot.
    Kept,
    /// It is not kept.
    NotKept,
    /// The journal is written or removed.
    Noted,
    /// The journal could not be written or removed.
    NotNoted,
    /// The issuer answered with this secret.
    Regenerated(SecretHash),
    /// The issuer refused, and did nothing.
    Refused(Refused),
    /// The call may have been executed, and may still be.
    Lost,
    /// Nothing was sent.
    NotSent,
    /// How the write to the store ended.
    Stored(Written),
    /// No earlier write to the store is unfinished.
    Settled,
    /// The secret in force, and what the second slot has.
    Record(SecretHash, Slot),
    /// The record or the slot could not be read.
    Unreadable,
    /// The issuer gave a token for the secret in force.
    Proved,
    /// The issuer rejected it.
    Rejected,
    /// The pause is over.
    Woken,
}

/// What the executor is to do next.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum InPlaceCommand {
    /// Get a token that holds for 15 minutes or more with the secret in force, and keep it in the second slot: `Kept`,
    /// `NotKept` or `Rejected`. A slot that is found without a journal is emptied at the next start.
    KeepToken,
    /// Write the journal: `Noted` or `NotNoted`.
    Note(InPlaceNotes),
    /// Ask for a new secret with the kept token: `Regenerated`, `Refused`, `Lost` or `NotSent`. The executor keeps the
    /// answer in memory until the next call or a restart.
    Regenerate(KeyRef),
    /// Keep the last answer in the second slot: `Kept` or `NotKept`.
    KeepAnswer,
    /// Put this secret, from memory or the second slot, in force, the former one as `previous`: `Stored`.
    Store(RotationId, SecretHash),
    /// Get a token with the secret in force: `Proved`, `Rejected`, `Lost` or `NotSent`.
    Prove,
    /// Wait until no write to the store is unfinished: `Settled`.
    Settle,
    /// Read the record and the second slot: `Record` or `Unreadable`.
    Read,
    /// Take the rotation and `previous` out of the record if they are in it, then empty the second slot: `Stored`.
    Finish(RotationId),
    /// Remove the journal: `Noted` or `NotNoted`.
    RemoveNotes,
    /// Wait: `Woken`.
    Pause(Pause),
    /// It is over.
    End(InPlaceEnd),
}

/// How a rotation in place ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum InPlaceEnd {
    /// The new secret is in force and works.
    Rotated,
    /// The old secret is in force and works.
    Undone,
    /// Neither the secret nor the token works (`needs_human`). Nothing more is written; the journal stays.
    NeedsHuman,
}

// === impl InPlaceEvent ===

impl InPlaceEvent {
    /// The event's kind, for the log.
    pub const fn kind(&self) -> &'static str {
        match self {
            Self::Kept => "kept",
            Self::NotKept => "not kept",
            Self::Noted => "noted",
            Self::NotNoted => "not noted",
            Self::Regenerated(_) => "regenerated",
            Self::Refused(_) => "refused",
            Self::Lost => "lost",
            Self::NotSent => "not sent",
            Self::Stored(Written::Done) => "stored",
            Self::Stored(Written::Failed) => "not stored",
            Self::Stored(Written::Conflict) => "conflict",
            Self::Stored(Written::Unknown) => "unknown",
            Self::Settled => "settled",
            Self::Record(..) => "record",
            Self::Unreadable => "unreadable",
            Self::Proved => "proved",
            Self::Rejected => "rejected",
            Self::Woken => "woken",
        }
    }
}

// === impl InPlaceCommand ===

impl InPlaceCommand {
    /// The command's kind, for the log.
    pub const fn kind(&self) -> &'static str {
        match self {
            Self::KeepToken => "keep token",
            Self::Note(_) => "note",
            Self::Regenerate(_) => "regenerate",
            Self::KeepAnswer => "keep answer",
            Self::Store(..) => "store",
            Self::Prove => "prove",
            Self::Settle => "settle",
            Self::Read => "read",
            Self::Finish(_) => "finish",
            Self::RemoveNotes => "remove notes",
            Self::Pause(_) => "pause",
            Self::End(_) => "end",
        }
    }
}
