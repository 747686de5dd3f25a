//! The progress of a rotation with overlap, as the disk shows it.

use std::fs;

use serde_json::Value;

use crate::place::PROFILE;
use crate::support::TestEnv;

/// A part of a rotation between two writes. A process that starts sees only this.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Phase {
    /// The rotation was requested, but nothing is written yet.
    Checking,
    /// The journal says that a key may have been created.
    Creating,
    /// The new key is in the record, but the journal does not say so yet.
    Stored,
    /// The journal says that the new key is stored; it is being proven.
    Proving,
    /// The new key is in force, but the journal does not say so yet.
    Switched,
    /// The old key waits for its deletion.
    Grace,
    /// The old key may have been deleted.
    Deleting,
    /// The record has no rotation any more, but the journal still exists.
    Settled,
    /// The rotation is being undone.
    Undoing,
    /// No rotation is left, and the new key is in force.
    Ended,
}

/// The state on the disk.
pub(crate) struct Seen {
    pub(crate) phase: Phase,
    /// The client ID of the key in force.
    pub(crate) client_id: String,
}

/// Reads the JSON of a file; `None` if there is no such file.
fn json(env: &TestEnv, path: &str) -> Option<Value> {
    serde_json::from_slice(&fs::read(env.path(path)).ok()?).ok()
}

/// Reads the journal.
pub(crate) fn journal(env: &TestEnv) -> Option<Value> {
    json(env, &format!("state/jeton/rotations/{PROFILE}.json"))
}

/// Reads the record, which has secrets.
pub(crate) fn record(env: &TestEnv) -> Option<Value> {
    json(env, &format!("state/jeton/credentials/{PROFILE}.json"))
}

/// Reads the state on the disk; `first` is the client ID of the key that is rotated.
pub(crate) fn seen(env: &TestEnv, first: &str) -> Seen {
    // The journal is read first because it is ahead of the record: a write between the reads only makes the phase
    // later.
    let journal = journal(env);
    let record = record(env).unwrap_or_default();
    let client_id = record["client_id"].as_str().unwrap_or_default().to_owned();
    let phase = journal
        .as_ref()
        .and_then(|journal| journal["phase"].as_str());
    let (has_next, has_former) = (record["next"].is_object(), record["previous"].is_object());
    let phase = match (phase, has_next, has_former) {
        (Some(word), ..) if word.starts_with("undoing") => Phase::Undoing,
        (Some("creating"), false, false) => Phase::Creating,
        (Some("creating"), true, _) | (None, true, _) => Phase::Stored,
        (_, true, _) => Phase::Proving,
        (Some("creating" | "proving"), _, true) => Phase::Switched,
        (Some("proving"), false, false) if client_id == first => Phase::Proving,
        (Some("deleting"), _, true) => Phase::Deleting,
        (_, _, true) => Phase::Grace,
        (Some(_), false, false) => Phase::Settled,
        (None, false, false) if client_id == first => Phase::Checking,
        (None, false, false) => Phase::Ended,
    };
    Seen { phase, client_id }
}

// === impl Phase ===

impl Phase {
    pub(crate) const ALL: [Self; 9] = [
        Self::Checking,
        Self::Creating,
        Self::Stored,
        Self::Proving,
        Self::Switched,
        Self::Grace,
        Self::Deleting,
        Self::Settled,
        Self::Undoing,
    ];

    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            Self::Checking => "checking",
            Self::Creating => "creating",
            Self::Stored => "stored",
            Self::Proving => "proving",
            Self::Switched => "switched",
            Self::Grace => "grace",
            Self::Deleting => "deleting",
            Self::Settled => "settled",
            Self::Undoing => "undoing",
            Self::Ended => "ended",
        }
    }

    /// Returns whether nothing is left to do.
    pub(crate) fn is_over(self) -> bool {
        matches!(self, Self::Checking | Self::Ended)
    }
}
