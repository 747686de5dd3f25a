//! Requests for the identity that a profile's token belongs to.

use std::sync::Arc;
use std::time::Duration;

use crate::profile::ProfileName;
use crate::wire::ProfileReply;

/// A request for the identity that a profile's token belongs to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WhoamiQuery {
    /// The profile.
    pub profile: Option<ProfileName>,
    /// The longest wait for the answer.
    pub max_wait: Duration,
}

/// The identity that a profile's token belongs to.
pub struct WhoamiAnswer {
    /// The profile.
    pub profile: ProfileName,
    /// Its state.
    pub state: Box<ProfileReply>,
    /// The identity.
    pub identity: Arc<dyn Identity>,
}

/// An issuer's information about a token's bearer. It formats itself.
pub trait Identity: Send + Sync {
    /// Formats everything, in far less than the 256 KiB of an answer.
    fn print(&self, form: &WhoamiForm<'_>) -> String;
}

/// Form of the output.
#[derive(Debug, Clone, Copy)]
pub struct WhoamiForm<'a> {
    /// Whether to use JSON, for programs.
    pub json: bool,
    /// The current time, in Unix seconds.
    pub now: u64,
    /// The profile.
    pub profile: &'a ProfileName,
    /// Further lines about the profile's key, for users. Each has a label and a text.
    pub lines: &'a [String],
    /// Further members about the profile's key, for programs.
    pub members: &'a Members,
}

/// Members of a JSON object.
pub type Members = serde_json::Map<String, serde_json::Value>;
