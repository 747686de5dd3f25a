//! The events for a rotation's state machine: outcomes of its commands.

use super::record::{KeyRef, RecordView};
use crate::instant::UnixTime;

/// The issuer's list of keys.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Listing {
    /// The keys.
    pub keys: Vec<ListedKey>,
    /// The issuer's `Date` header.
    pub date: Option<UnixTime>,
}

/// One key of the list.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct ListedKey {
    /// The issuer's ID of the key.
    pub id: String,
    /// Its name.
    pub name: String,
    /// Its client ID.
    pub client_id: String,
    /// Whether it is one of the user's own keys, which have the user's access rules.
    pub is_users: bool,
    /// When the key last got a token, if the issuer says so.
    pub last_login: Option<UnixTime>,
}

/// The outcome of a write to the store.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum WriteOutcome {
    /// The record is changed.
    Done,
    /// The record is not changed, and will not be.
    Failed,
    /// The record differed from the expected one, so it is not changed.
    Conflict,
    /// The write is unfinished: the record may be changed now or later.
    Unknown,
}

/// The reason why the issuer refused a call. The call was not executed and will not be.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum CallRefusal {
    /// 409: another key has this name.
    NameTaken,
    /// 401: the bearer token is not valid.
    Unauthorized,
    /// 403: the bearer may not make this call.
    Forbidden,
    /// Any other refusal, for example because the user has too many keys.
    Other,
}

/// The access rules of a new token, compared with those of the old token.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Rights {
    /// The new token allows at least as much.
    Kept,
    /// The new token allows less.
    Fewer,
    /// The issuer does not show the access rules.
    Unknown,
}

/// The outcome of a [`Command`](super::Command).
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Event {
    /// The issuer's list.
    Listed(Listing),
    /// The issuer created the key. The executor keeps its secret in memory.
    Created(KeyRef),
    /// The issuer deleted the key, or has no key of this ID (404).
    Deleted,
    /// The issuer refused the call and did not execute it.
    Refused(CallRefusal),
    /// No answer, an unreadable answer, or a failure of the server (5xx). The issuer may have executed the call, and
    /// may still do so.
    Lost,
    /// The call was not sent, because there was no bearer token or no connection.
    NotSent,
    /// The outcome of a write to the store.
    Stored(WriteOutcome),
    /// No earlier write to the store is unfinished.
    Settled,
    /// The record as it is stored now.
    Record(RecordView),
    /// The record could not be read, for example because the store is locked.
    Unreadable,
    /// The journal is written or removed, and its folder is synced.
    Noted,
    /// The journal could not be written or removed.
    NotNoted,
    /// The issuer gave a token for the key.
    Proved {
        /// What the token allows.
        rights: Rights,
        /// The issuer's `Date` header.
        date: Option<UnixTime>,
    },
    /// The issuer rejected the key (`invalid_client`).
    Rejected,
    /// The pause is over, or the machine's clock may have changed.
    Woken,
    /// The user asked to delete the old key without further waiting (`--finish`). Valid at any time.
    Finish,
}

/// The kind of an [`Event`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct EventKind(pub &'static str);

// === impl Event ===

impl Event {
    /// Returns the event's kind, as the table in the docs of [`overlap`](super::overlap) names it.
    pub const fn kind(&self) -> EventKind {
        EventKind(match self {
            Self::Listed(_) => "listed",
            Self::Created(_) => "created",
            Self::Deleted => "deleted",
            Self::Refused(CallRefusal::NameTaken) => "409",
            Self::Refused(CallRefusal::Unauthorized) => "401",
            Self::Refused(CallRefusal::Forbidden) => "403",
            Self::Refused(CallRefusal::Other) => "refused",
            Self::Lost => "lost",
            Self::NotSent => "not sent",
            Self::Stored(WriteOutcome::Done) => "stored",
            Self::Stored(WriteOutcome::Failed) => "not stored",
            Self::Stored(WriteOutcome::Conflict) => "conflict",
            Self::Stored(WriteOutcome::Unknown) => "unknown",
            Self::Settled => "settled",
            Self::Record(_) => "record",
            Self::Unreadable => "unreadable",
            Self::Noted => "noted",
            Self::NotNoted => "not noted",
            Self::Proved { .. } => "proved",
            Self::Rejected => "rejected",
            Self::Woken => "woken",
            Self::Finish => "finish",
        })
    }
}

// === impl Listing ===

impl Listing {
    /// Returns the key of this client ID.
    pub fn by_client(&self, client_id: &str) -> Option<&ListedKey> {
        self.keys.iter().find(|key| key.client_id == client_id)
    }

    /// Returns a key of this name whose client ID is not `except`.
    pub fn named(&self, name: &str, except: &str) -> Option<&ListedKey> {
        let mut named = self.keys.iter().filter(|key| key.name == name);
        named.find(|key| key.client_id != except)
    }
}

// === impl ListedKey ===

impl ListedKey {
    /// Returns the data that a deletion of the key needs.
    pub fn to_ref(&self) -> KeyRef {
        KeyRef {
            client_id: self.client_id.clone(),
            id: Some(self.id.clone()),
            name: Some(self.name.clone()),
        }
    }
}
