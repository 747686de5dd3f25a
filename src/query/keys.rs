//! Questions about the keys that a control plane manages.

use std::sync::Arc;
use std::time::Duration;

use crate::instant::UnixTime;
use crate::profile::ProfileName;

/// Which keys a person asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum KeyKind {
    /// The user's own keys, by whichever name the server has for them; never the organisation's.
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

/// A request for keys.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeysQuery {
    /// The profile whose token is used.
    pub profile: Option<ProfileName>,
    /// Which keys.
    pub kind: KeyKind,
    /// Whether those of every user.
    pub all: bool,
    /// The key that is meant, by its name, ID or client ID; `None` for all of them.
    pub key: Option<String>,
    /// How long to wait for the answer.
    pub max_wait: Duration,
}

/// Keys, and which of our profiles use them.
pub struct KeysAnswer {
    /// The keys.
    pub keys: Arc<dyn KeyList>,
    /// The client IDs of the profiles that the caller may use, at the same control plane.
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

/// The keys that a control plane listed. They print themselves: their form is the API's, and `jetond app` prints the same.
pub trait KeyList: Send + Sync {
    /// All of them, or as many as fit into `room` bytes.
    fn list(&self, form: &KeyForm<'_>, room: usize) -> KeyListing;
    /// The key of this name, ID or client ID.
    fn show(&self, key: &str, form: &KeyForm<'_>) -> KeyShown;
    /// Whether the list lacks the key of this name, ID or client ID and may be incomplete.
    fn may_lack(&self, key: &str) -> bool;
    /// What is said of the key of this client ID.
    fn seen(&self, client_id: &str) -> Option<KeySeen>;
}

/// What a control plane says of one key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeySeen {
    /// Its ID.
    pub id: String,
    /// When it was created.
    pub created_at: Option<UnixTime>,
    /// What the control plane's clock showed in the answer.
    pub date: Option<UnixTime>,
}

/// How keys are printed.
#[derive(Debug, Clone, Copy)]
pub struct KeyForm<'a> {
    /// As JSON, for programs.
    pub json: bool,
    /// The current time, in Unix seconds.
    pub now: u64,
    /// The profiles that use them.
    pub users: &'a [KeyUser],
}

/// A printed list of keys.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeyListing {
    /// The text.
    pub text: String,
    /// How many keys it shows, from the first on.
    pub shown: usize,
    /// How many there are.
    pub total: usize,
}

/// A printed key, or why there is none.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum KeyShown {
    /// The text.
    One(String),
    /// There is none. With what such a key is called.
    Nothing(&'static str),
    /// There are several of this name. With what such a key is called, and their IDs.
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

    /// The kind as a person writes it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Auto => "auto",
            Self::AccessKey => "access-key",
            Self::UserApplication => "user-application",
            Self::ServiceAccount => "service-account",
            Self::Application => "application",
        }
    }

    /// The kind that a person writes so.
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.as_str() == text)
    }
}
