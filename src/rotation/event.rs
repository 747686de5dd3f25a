//! What a state machine of a rotation is told: the outcome of the action that it asked for.

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
    /// Whether it is a key of the user's own, which has the user's access rules.
    pub is_users: bool,
    /// When it last got a token, where the issuer tells.
    pub last_login: Option<UnixTime>,
}

/// How a write to the store ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Written {
    /// The record is changed.
    Done,
    /// The record is not changed, and will not be.
    Failed,
    /// The record was not as expected, so it is not changed.
    Conflict,
    /// The record may be changed now or later: the write is unfinished.
    Unknown,
}

/// Why the issuer did not do what it was asked. It surely did not, and will not.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Refused {
    /// 409: a key has the name already.
    NameTaken,
    /// 401: the bearer token is not valid.
    Unauthorized,
    /// 403: the bearer may not do it.
    Forbidden,
    /// Any other refusal, such as one key too many.
    Other,
}

/// What the access rules of a new token allow, against those of the old one.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Rights {
    /// At least as much.
    Kept,
    /// Less.
    Fewer,
    /// The issuer does not tell.
    Unknown,
}

/// Something that happened, as the answer to a [`Command`](super::Command).
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Event {
    /// The issuer's list.
    Listed(Listing),
    /// The issuer created the key; the executor keeps its secret until the next restart.
    Created(KeyRef),
    /// The issuer deleted the key, or has none of this ID (404).
    Deleted,
    /// The issuer refused, and did nothing.
    Refused(Refused),
    /// No answer came, or one that cannot be read, or a failure of the server (5xx): the call may have been executed,
    /// and may still be.
    Lost,
    /// Nothing was sent: there was no bearer token, or no connection.
    NotSent,
    /// How the write to the store ended.
    Stored(Written),
    /// No earlier write to the store is unfinished.
    Settled,
    /// The record as it is stored now.
    Record(RecordView),
    /// The record could not be read, for example because the store is locked.
    Unreadable,
    /// The journal is written or removed, and the folder synced.
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
    /// The user asked to delete the old key without further waiting (`--finish`). Valid at any moment.
    Finish,
}

/// The kind of an [`Event`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct EventKind(pub &'static str);

// === impl Event ===

impl Event {
    /// The event's kind, as the table of the module's documentation has it.
    pub const fn kind(&self) -> EventKind {
        EventKind(match self {
            Self::Listed(_) => "listed",
            Self::Created(_) => "created",
            Self::Deleted => "deleted",
            Self::Refused(Refused::NameTaken) => "409",
            Self::Refused(Refused::Unauthorized) => "401",
            Self::Refused(Refused::Forbidden) => "403",
            Self::Refused(Refused::Other) => "refused",
            Self::Lost => "lost",
            Self::NotSent => "not sent",
            Self::Stored(Written::Done) => "stored",
            Self::Stored(Written::Failed) => "not stored",
            Self::Stored(Written::Conflict) => "conflict",
            Self::Stored(Written::Unknown) => "unknown",
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
    /// The key of this client ID.
    pub fn by_client(&self, client_id: &str) -> Option<&ListedKey> {
        self.keys.iter().find(|key| key.client_id == client_id)
    }

    /// The key that bears this name, other than the key of this client ID.
    pub fn named(&self, name: &str, except: &str) -> Option<&ListedKey> {
        let mut named = self.keys.iter().filter(|key| key.name == name);
        named.find(|key| key.client_id != except)
    }
}

// === impl ListedKey ===

impl ListedKey {
    /// What a deletion needs of the key.
    pub fn to_ref(&self) -> KeyRef {
        KeyRef {
            client_id: self.client_id.clone(),
            id: Some(self.id.clone()),
            name: Some(self.name.clone()),
        }
    }
}
