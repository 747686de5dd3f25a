//! The question whose a profile's token is.

use std::sync::Arc;
use std::time::Duration;

use crate::profile::ProfileName;
use crate::wire::ProfileReply;

/// A request to tell whose a profile's token is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WhoamiQuery {
    /// The profile.
    pub profile: Option<ProfileName>,
    /// How long to wait for the answer.
    pub max_wait: Duration,
}

/// Whose a profile's token is.
pub struct WhoamiAnswer {
    /// The profile.
    pub profile: ProfileName,
    /// Its state.
    pub state: Box<ProfileReply>,
    /// Whose it is.
    pub identity: Arc<dyn Identity>,
}

/// What an issuer says of a token's bearer. It prints itself.
pub trait Identity: Send + Sync {
    /// All of it, in far less than the 256 KiB of an answer.
    fn print(&self, form: &WhoamiForm<'_>) -> String;
}

/// How it is printed.
#[derive(Debug, Clone, Copy)]
pub struct WhoamiForm<'a> {
    /// As JSON, for programs.
    pub json: bool,
    /// The current time, in Unix seconds.
    pub now: u64,
    /// The profile.
    pub profile: &'a ProfileName,
    /// What else people are told of its key: what it is about, and the words.
    pub lines: &'a [String],
    /// What else programs are told of its key.
    pub members: &'a Members,
}

/// Members of a JSON object.
pub type Members = serde_json::Map<String, serde_json::Value>;
