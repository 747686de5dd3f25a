//! The events and commands of a rotation in place, and the content of its journal.

use super::super::event::{CallRefusal, WriteOutcome};
use super::super::pause::Pause;
use super::super::record::{KeyRef, RotationId};

/// The SHA-256 of a secret, in hexadecimal digits.
pub type SecretHash = String;

/// The content of the journal of a rotation in place.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct InPlaceNotes {
    /// The rotation's ID.
    pub rotation: RotationId,
    /// The key, with its ID at the issuer.
    pub key: KeyRef,
    /// The secret that is to be replaced.
    pub old: SecretHash,
}

/// The content of the second slot of the profile's store.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Slot {
    /// The slot is empty.
    Empty,
    /// A token.
    Token,
    /// A token, and the issuer's answer with this secret.
    Answer(SecretHash),
}

/// The outcome of a command.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum InPlaceEvent {
    /// The token or the answer is kept in the second slot.
    Kept,
    /// The token or the answer could not be kept.
    NotKept,
    /// The journal is written or removed.
    Noted,
    /// The journal could not be written or removed.
    NotNoted,
    /// The issuer answered with this secret.
    Regenerated(SecretHash),
    /// The issuer refused the call and did not execute it.
    Refused(CallRefusal),
    /// The issuer may have executed the call, or may still do so.
    Lost,
    /// The call was not sent.
    NotSent,
    /// The outcome of a write to the store.
    Stored(WriteOutcome),
    /// No earlier write to the store is unfinished.
    Settled,
    /// The secret in force, and what the second slot has.
    Record(SecretHash, Slot),
    /// The record or the slot could not be read.
    Unreadable,
    /// The issuer gave a token for the secret in force.
    Proved,
    /// The issuer rejected the secret in force.
    Rejected,
    /// The pause is over.
    Woken,
}

/// The next action of the executor.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum InPlaceCommand {
    /// Get a token with the secret in force that is valid for 15 minutes or more, and keep it in the second slot.
    /// Outcomes: `Kept`, `NotKept` or `Rejected`. A slot without a journal is emptied at the next start.
    KeepToken,
    /// Write the journal. Outcomes: `Noted` or `NotNoted`.
    Note(InPlaceNotes),
    /// Request a new secret with the kept token. Outcomes: `Regenerated`, `Refused`, `Lost` or `NotSent`. The
    /// executor keeps the answer in memory until the next call or a restart.
    Regenerate(KeyRef),
    /// Keep the last answer in the second slot. Outcomes: `Kept` or `NotKept`.
    KeepAnswer,
    /// Put this secret, from memory or the second slot, in force, and the former one in `previous`. Outcome:
    /// `Stored`.
    Store(RotationId, SecretHash),
    /// Get a token with the secret in force. Outcomes: `Proved`, `Rejected`, `Lost` or `NotSent`.
    Prove,
    /// Wait until no write to the store is unfinished. Outcome: `Settled`.
    Settle,
    /// Read the record and the second slot. Outcomes: `Record` or `Unreadable`.
    Read,
    /// Remove the rotation and `previous` from the record, if present, then empty the second slot. Outcome: `Stored`.
    Finish(RotationId),
    /// Remove the journal. Outcomes: `Noted` or `NotNoted`.
    RemoveNotes,
    /// Wait. Outcome: `Woken`.
    Pause(Pause),
    /// The rotation is over.
    End(InPlaceEnd),
}

/// How a rotation in place ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum InPlaceEnd {
    /// The new secret is in force and works.
    Rotated,
    /// The old secret is in force and works.
    Undone,
    /// Neither the secret nor the token works (`needs_human`). Nothing more is written, and the journal stays.
    NeedsHuman,
}

// === impl InPlaceEvent ===

impl InPlaceEvent {
    /// Returns the event's kind, for the log.
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
            Self::Stored(WriteOutcome::Done) => "stored",
            Self::Stored(WriteOutcome::Failed) => "not stored",
            Self::Stored(WriteOutcome::Conflict) => "conflict",
            Self::Stored(WriteOutcome::Unknown) => "unknown",
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
    /// Returns the command's kind, for the log.
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
