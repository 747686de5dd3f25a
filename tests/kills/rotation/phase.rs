//! How far a rotation with overlap is, as the disk says it.

use std::fs;

use serde_json::Value;

use crate::place::PROFILE;
use crate::support::TestEnv;

/// A part of the walk, between two writes. A process that starts finds this and nothing else.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Phase {
    /// Nothing is written yet: the rotation is asked for.
    Checking,
    /// The journal says that a key may be created.
    Creating,
    /// The new key is in the record, and the journal does not say so.
    Stored,
    /// The journal says it, too: the new key is proven.
    Proving,
    /// The new key is in force, and the journal does not say so.
    Switched,
    /// The old key waits for its deletion.
    Grace,
    /// The old key may be deleted.
    Deleting,
    /// The record is as without a rotation, and the journal is still there.
    Settled,
    /// The new key is given up.
    Undoing,
    /// Nothing is left of the rotation, and the new key is in force.
    Ended,
}

/// What the disk says.
pub(crate) struct Seen {
    pub(crate) phase: Phase,
    /// The client ID of the key in force.
    pub(crate) client_id: String,
}

/// Reads the JSON of a file; `None` without one.
fn json(env: &TestEnv, path: &str) -> Option<Value> {
    serde_json::from_slice(&fs::read(env.path(path)).ok()?).ok()
}

/// The journal.
pub(crate) fn journal(env: &TestEnv) -> Option<Value> {
    json(env, &format!("state/jeton/rotations/{PROFILE}.json"))
}

/// The record; it has secrets.
pub(crate) fn record(env: &TestEnv) -> Option<Value> {
    json(env, &format!("state/jeton/credentials/{PROFILE}.json"))
}

/// What the disk says now; `first` is the client ID of the key that is rotated.
pub(crate) fn seen(env: &TestEnv, first: &str) -> Seen {
    // The journal first: it is ahead of the record, so a write in between makes the phase later, and not wrong.
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

    /// Whether nothing is left to do.
    pub(crate) fn is_over(self) -> bool {
        matches!(self, Self::Checking | Self::Ended)
    }
}
