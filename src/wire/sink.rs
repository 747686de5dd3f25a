//! State of a file that a token is written to.

use std::path::Path;

use serde::{Deserialize, Serialize};

/// State of a file that a profile's token is written to, without the token.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SinkReply {
    /// The path of the file.
    pub path: String,
    /// The file's format, as in the configuration.
    pub format: String,
    /// The state, as shown to users.
    pub state: SinkState,
    /// When the file was last written, in Unix seconds. Absent if this daemon has not written it.
    pub written_at: Option<u64>,
    /// The generation of the token in the file.
    pub generation: Option<u64>,
    /// The expiry of that token as served, in Unix seconds.
    pub expires_at: Option<u64>,
    /// Whether the file is on a disk, from which deleted data can be recovered, rather than in memory only.
    #[serde(default)]
    pub on_disk: bool,
    /// The process that the file is for, with `jeton exec --file`. Absent for a configured file.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub process: Option<i32>,
    /// Why the file is not up to date, in one sentence.
    pub detail: Option<String>,
}

/// The state of a file, as shown to users.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum SinkState {
    /// There is no token to write yet.
    Waiting,
    /// The file holds the current token.
    Fresh,
    /// The file could not be written or removed. Its previous content remains.
    Failed,
    /// The token has expired, and the file was removed.
    Removed,
    /// The token has expired, and the file remains, as configured.
    Expired,
}

// === impl SinkReply ===

impl SinkReply {
    /// Creates the state of a file that nothing has been written to yet.
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
    /// Returns the name of the state, as shown to users.
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
