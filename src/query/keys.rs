//! Queries for the keys that a control plane manages.

use std::sync::Arc;
use std::time::Duration;

use crate::instant::UnixTime;
use crate::profile::ProfileName;

/// The kind of keys that a user asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum KeyKind {
    /// The user's own keys, under whichever name the server has for them. Never those of the organisation.
    #[default]
    Auto,
    /// The user's access keys (2.24 and later).
    AccessKey,
    /// The user's applications (2.20 to 2.24).
    UserApplication,
    /// The organisation's service accounts (2.24 and later).
    ServiceAccount,
    /// The organisation's applications (up to 2.24).
    Application,
}

/// A query for keys.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeysQuery {
    /// The profile whose token is used.
    pub profile: Option<ProfileName>,
    /// The kind of keys.
    pub kind: KeyKind,
    /// Whether to include the keys of every user.
    pub all: bool,
    /// The name, ID or client ID of the wanted key, or `None` for all keys.
    pub key: Option<String>,
    /// The longest wait for the answer.
    pub max_wait: Duration,
}

/// Keys, and the profiles that use them.
pub struct KeysAnswer {
    /// The keys.
    pub keys: Arc<dyn KeyList>,
    /// The client IDs of the caller's profiles at the same control plane.
    pub users: Vec<KeyUser>,
}

/// A profile that uses a key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeyUser {
    /// The key's client ID.
    pub client_id: String,
    /// The profile.
    pub profile: ProfileName,
}

/// The keys that a control plane listed. They format themselves: their form is the API's, and `jetond app` prints the
/// same.
pub trait KeyList: Send + Sync {
    /// Formats all keys, or as many as fit into `room` bytes.
    fn list(&self, form: &KeyForm<'_>, room: usize) -> KeyListing;
    /// Formats the key with this name, ID or client ID.
    fn show(&self, key: &str, form: &KeyForm<'_>) -> FormattedKey;
    /// Whether the list does not contain the key with this name, ID or client ID, and may be incomplete.
    fn may_lack(&self, key: &str) -> bool;
    /// Returns the control plane's information about the key with this client ID.
    fn seen(&self, client_id: &str) -> Option<KeyFacts>;
}

/// A control plane's information about one key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeyFacts {
    /// The key's ID.
    pub id: String,
    /// When the key was created.
    pub created_at: Option<UnixTime>,
    /// The control plane's time, as stated in the answer.
    pub date: Option<UnixTime>,
}

/// Form of the output of keys.
#[derive(Debug, Clone, Copy)]
pub struct KeyForm<'a> {
    /// Whether to use JSON, for programs.
    pub json: bool,
    /// The current time, in Unix seconds.
    pub now: u64,
    /// The profiles that use the keys.
    pub users: &'a [KeyUser],
}

/// A formatted list of keys.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeyListing {
    /// The text.
    pub text: String,
    /// Number of keys in the text, from the first one.
    pub shown: usize,
    /// Number of all keys.
    pub total: usize,
}

/// A formatted key, or the reason why there is none.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum FormattedKey {
    /// The text of the key.
    One(String),
    /// There is no such key. Holds the term for such a key.
    Nothing(&'static str),
    /// Several keys have this name. Holds the term for such a key, and their IDs.
    Several(&'static str, Vec<String>),
}

// === impl KeyKind ===

impl KeyKind {
    /// Every kind.
    pub const ALL: [Self; 5] = [
        Self::Auto,
        Self::AccessKey,
        Self::UserApplication,
        Self::ServiceAccount,
        Self::Application,
    ];

    /// Returns the name of the kind, as the user writes it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Auto => "auto",
            Self::AccessKey => "access-key",
            Self::UserApplication => "user-application",
            Self::ServiceAccount => "service-account",
            Self::Application => "application",
        }
    }

    /// Parses the name of a kind, as the user writes it.
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.as_str() == text)
    }
}
