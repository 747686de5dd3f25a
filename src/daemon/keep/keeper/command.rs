//! The commands to a keeper.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::oneshot;

use super::super::jumps::Jump;
use crate::instant::{BootInstant, UnixTime};
use crate::lifecycle::credentials::Credentials;
use crate::lifecycle::{Policy, Reporter};
use crate::store::source::CredentialSource;
use crate::token::Grant;

/// Where a caller is answered once the lifecycle has processed its command and the view shows the result.
pub(in super::super) type Done = oneshot::Sender<Heard>;

/// What a command of a caller came to.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(in super::super) struct Heard {
    /// Until when reports of the held token by this caller lead to no refresh. The moment may have passed.
    pub cooling_until: Option<BootInstant>,
}

/// A command to a keeper.
#[derive(Debug)]
pub(in super::super) enum Command {
    /// A caller waits for a token.
    Wanted { min_valid: Duration, done: Done },
    /// A caller reports that the token of this generation was rejected.
    Reported {
        generation: u64,
        reporter: Reporter,
        done: Done,
    },
    /// The issuer gave the client another token at this moment, past the daemon.
    Superseded { at: BootInstant, done: Done },
    /// A token that was granted for the stored credential past the attempts.
    Adopt { token: Box<Adopted>, done: Done },
    /// A client seems to doubt the token of this generation, and says nothing of it.
    Doubted { generation: u64, done: Done },
    /// A person wants a new token. Answered with the count of refreshes before it, or why not and until when.
    Refresh {
        reply: oneshot::Sender<Result<u64, RefreshRefused>>,
    },
    /// The clocks have jumped.
    Jumped(Jump),
    /// The store was locked.
    Lock { done: Done },
    /// The configuration has another policy for the profile.
    Policy(Policy),
    /// The credential is kept elsewhere from now on.
    Source(NewSource),
    /// Another keeper takes this one's place. Answered with what it begins with.
    HandOver {
        /// Whether the credentials that were rejected here may be rejected there.
        rejections: bool,
        reply: oneshot::Sender<Credentials>,
    },
    /// The credential may have been replaced. Answered once the store has been read.
    Recheck { done: oneshot::Sender<()> },
}

/// A token that was granted past the attempts.
#[derive(Debug)]
pub(in super::super) struct Adopted {
    /// When its request was sent.
    pub sent: BootInstant,
    pub grant: Grant,
    /// What the issuer's clock showed.
    pub date: Option<UnixTime>,
}

/// Where the credential is kept from now on.
pub(in super::super) struct NewSource(pub Arc<dyn CredentialSource>);

impl fmt::Debug for NewSource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("NewSource(…)")
    }
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
    /// No attempt may begin now: the issuer stated how long to wait, it rejects everything while it starts up, or too many
    /// attempts have failed.
    HeldBack {
        /// When one may.
        until: BootInstant,
    },
}
