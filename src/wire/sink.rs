//! The state of a file that a token is written to.

use std::path::Path;

use serde::{Deserialize, Serialize};

/// A file that a profile's token is written to, without the token.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SinkReply {
    /// The file.
    pub path: String,
    /// Its form, as the configuration names it.
    pub format: String,
    /// What a person sees of it.
    pub state: SinkState,
    /// When it was written last, in Unix seconds; absent while this daemon has not written it.
    pub written_at: Option<u64>,
    /// The generation of the token in it.
    pub generation: Option<u64>,
    /// Until when that token is served, in Unix seconds.
    pub expires_at: Option<u64>,
    /// Whether it is on a disk, where what was deleted can be read again, and not in memory alone.
    #[serde(default)]
    pub on_disk: bool,
    /// The process that it is for, with `jeton exec --file`; absent for a file that the configuration names.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub process: Option<i32>,
    /// Why it is not fresh, in a sentence for people.
    pub detail: Option<String>,
}

/// The state of a file, as shown to people.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum SinkState {
    /// There is no token to write yet.
    Waiting,
    /// It holds the token.
    Fresh,
    /// It was not written or not removed; what was there before stays.
    Failed,
    /// Its token has expired, and it was removed.
    Removed,
    /// Its token has expired, and it stays as the configuration says.
    Expired,
}

// === impl SinkReply ===

impl SinkReply {
    /// A file that nothing was written to yet.
    pub fn waiting(path: &Path, format: &str) -> Self {
        Self {
            path: path.display().to_string(),
            format: format.to_owned(),
            state: SinkState::Waiting,
            written_at: None,
            generation: None,
            expires_at: None,
            on_disk: false,
            process: None,
            detail: None,
        }
    }
}

// === impl SinkState ===

impl SinkState {
    /// The word for people.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Waiting => "waiting",
            Self::Fresh => "fresh",
            Self::Failed => "failed",
            Self::Removed => "removed",
            Self::Expired => "expired",
        }
    }
}
