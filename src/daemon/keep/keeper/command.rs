//! The commands to a keeper.

use std::time::Duration;

use tokio::sync::oneshot;

use super::super::jumps::Jump;
use crate::instant::BootInstant;

/// A command to a keeper.
#[derive(Debug)]
pub(in super::super) enum Command {
    /// A caller waits for a token.
    Wanted {
        min_valid: Duration,
        /// Answered once the lifecycle has processed it and the view shows the result.
        done: oneshot::Sender<()>,
    },
    /// A caller reports that the token of this generation was rejected.
    Reported {
        generation: u64,
        /// As above.
        done: oneshot::Sender<()>,
    },
    /// A person wants a new token. Answered with the count of refreshes before it, or why not and until when.
    Refresh {
        reply: oneshot::Sender<Result<u64, RefreshRefused>>,
    },
    /// The clocks have jumped.
    Jumped(Jump),
    /// The credential may have been replaced. Answered once the store has been read.
    Recheck { done: oneshot::Sender<()> },
}

/// Why a refresh on request is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in super::super) enum RefreshRefused {
    /// The issuer rejected the credential. It is sent again when its probe is due.
    Rejected {
        /// When the next attempt is due.
        until: Option<BootInstant>,
    },
    /// The budget of requests is used up.
    TooMany {
        /// When the next one is allowed.
        until: BootInstant,
    },
}
