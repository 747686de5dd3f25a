//! The progress of a rotation, as the disk shows it.

use std::fs;

use serde_json::Value;

use crate::place::PROFILE;
use crate::support::TestEnv;

/// A part of a rotation between two writes. A process that starts sees only this.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Phase {
    /// The rotation was requested, but nothing is written yet.
    Checking,
    /// In place: the second slot has a token, but the journal does not exist yet.
    Keeping,
    /// In place: the journal exists, but the record does not name the rotation yet.
    Noting,
    /// In place: a new secret may have been requested.
    Regenerating,
    /// In place: the second slot has an answer, but its secret is not in force yet.
    Answered,
    /// In place: a new secret is in force; it is being proven.
    Renewed,
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
    /// No rotation is left, and the new key or secret is in force.
    Ended,
}

/// The state on the disk.
pub(crate) struct DiskState {
    pub(crate) phase: Phase,
    /// The client ID of the key in force.
    pub(crate) client_id: String,
    /// Whether the first secret of the first key is in force.
    pub(crate) is_first: bool,
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

/// Reads the second slot, which has a token and may have a secret.
pub(crate) fn slot(env: &TestEnv) -> Option<Value> {
    json(env, &format!("state/jeton/kept/{PROFILE}.json"))
}

/// Returns the secret of the answer in the second slot, where the answer is in hexadecimal digits.
pub(crate) fn answered(slot: &Value) -> Option<String> {
    let digits = slot["answer"].as_str()?.as_bytes();
    let byte = |two: &[u8]| u8::from_str_radix(std::str::from_utf8(two).ok()?, 16).ok();
    let bytes: Option<Vec<u8>> = digits.chunks(2).map(byte).collect();
    let answer: Value = serde_json::from_slice(&bytes?).ok()?;
    let secret = answer["clientSecret"].as_str();
    Some(secret.or(answer["secret"].as_str())?.to_owned())
}

/// Reads the state on the disk; `first` is the client ID of the key that is rotated.
pub(crate) fn seen(env: &TestEnv, first: &str) -> DiskState {
    // The journal is read first because it is ahead of the record: a write between the reads only makes the phase
    // later.
    let journal = journal(env);
    let record = record(env).unwrap_or_default();
    let client_id = record["client_id"].as_str().unwrap_or_default().to_owned();
    let is_first = client_id == first && record["client_secret"] == env.secret();
    let slot = slot(env);
    if slot.is_some() || journal.as_ref().is_some_and(|it| it["mode"] == "in-place") {
        let phase = in_place(journal.as_ref(), &record, slot.as_ref(), is_first);
        return DiskState {
            phase,
            client_id,
            is_first,
        };
    }
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
        (None, false, false) if is_first => Phase::Checking,
        (None, false, false) => Phase::Ended,
    };
    DiskState {
        phase,
        client_id,
        is_first,
    }
}

/// Returns the phase of a rotation in place. `is_first` tells whether the first secret is in force.
fn in_place(
    journal: Option<&Value>,
    record: &Value,
    slot: Option<&Value>,
    is_first: bool,
) -> Phase {
    let has_answer = slot.is_some_and(|slot| answered(slot).is_some());
    match (journal, record["rotation_id"].is_string()) {
        _ if record["previous"].is_object() => Phase::Renewed,
        (_, true) if has_answer => Phase::Answered,
        (_, true) => Phase::Regenerating,
        (_, false) if !is_first => Phase::Settled,
        (None, false) => Phase::Keeping,
        (Some(_), false) => Phase::Noting,
    }
}

// === impl Phase ===

impl Phase {
    /// The phases of a rotation with overlap.
    pub(crate) const OF_OVERLAP: &[Self] = &[
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

    /// The phases of a rotation in place.
    pub(crate) const OF_IN_PLACE: &[Self] = &[
        Self::Checking,
        Self::Keeping,
        Self::Noting,
        Self::Regenerating,
        Self::Answered,
        Self::Renewed,
        Self::Settled,
    ];

    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            Self::Checking => "checking",
            Self::Keeping => "keeping",
            Self::Noting => "noting",
            Self::Regenerating => "regenerating",
            Self::Answered => "answered",
            Self::Renewed => "renewed",
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
