//! What a keeper is asked.

use std::time::Duration;

use tokio::sync::oneshot;

use super::super::jumps::Jump;
use crate::instant::BootInstant;

/// What a keeper is asked.
#[derive(Debug)]
pub(in super::super) enum Command {
    /// A caller waits for a token.
    Wanted {
        min_valid: Duration,
        /// Answered when the lifecycle has taken it and the view shows what came of it.
        done: oneshot::Sender<()>,
    },
    /// Somebody says that the token of this generation was rejected.
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
    /// The credential may have been replaced. Answered when the store has been looked at.
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
        /// Until then.
        until: BootInstant,
    },
}
