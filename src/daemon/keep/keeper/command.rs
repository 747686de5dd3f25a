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

/// Channel that answers a caller once the lifecycle has processed its command and the view shows the result.
pub(in super::super) type Responder = oneshot::Sender<CommandResult>;

/// The result of a caller's command.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(in super::super) struct CommandResult {
    /// Until when this caller's reports of the held token cause no refresh. The moment may have passed.
    pub cooling_until: Option<BootInstant>,
}

/// A command to a keeper.
#[derive(Debug)]
pub(in super::super) enum Command {
    /// A caller waits for a token.
    TokenRequested {
        min_valid: Duration,
        done: Responder,
    },
    /// A caller reports that the token of this generation was rejected.
    Reported {
        generation: u64,
        reporter: Reporter,
        done: Responder,
    },
    /// The issuer gave the client another token at this moment, not through this keeper.
    Superseded { at: BootInstant, done: Responder },
    /// A token that was granted for the stored credential outside this keeper's attempts.
    Adopt {
        token: Box<Adopted>,
        done: Responder,
    },
    /// A client seems to distrust the token of this generation, but has not reported it as rejected.
    TokenDoubted { generation: u64, done: Responder },
    /// A user requests a new token. Answered with the number of refreshes so far, or with the reason for a refusal and
    /// its end.
    Refresh {
        reply: oneshot::Sender<Result<u64, RefreshRefused>>,
    },
    /// The clocks have jumped.
    Jumped(Jump),
    /// The store was locked.
    Lock { done: Responder },
    /// The configuration has a new policy for the profile.
    Policy(Policy),
    /// The credential comes from another source from now on.
    Source(NewSource),
    /// Another keeper replaces this one. Answered with the state that the new one starts with.
    HandOver {
        /// Whether the new keeper inherits the rejections of credentials.
        rejections: bool,
        reply: oneshot::Sender<Credentials>,
    },
    /// The credential may have been replaced. Answered once the store has been read.
    Recheck {
        /// Whether that is a reason to run a command again.
        runs: bool,
        done: oneshot::Sender<()>,
    },
}

/// A token that was granted outside the keeper's attempts.
#[derive(Debug)]
pub(in super::super) struct Adopted {
    /// The moment at which its request was sent.
    pub sent: BootInstant,
    pub grant: Grant,
    /// The issuer's time, if its answer stated one.
    pub date: Option<UnixTime>,
}

/// A new source of the credential.
pub(in super::super) struct NewSource(pub Arc<dyn CredentialSource>);

impl fmt::Debug for NewSource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("NewSource(…)")
    }
}

/// The reason for refusing a requested refresh.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in super::super) enum RefreshRefused {
    /// The issuer rejected the credential. It is sent again when the next probe is due.
    Rejected {
        /// When the next attempt is due.
        until: Option<BootInstant>,
    },
    /// The budget of requested refreshes is used up.
    TooMany {
        /// When the next requested refresh is allowed.
        until: BootInstant,
    },
    /// No attempt may begin now: the issuer stated a wait, it rejects everything while it starts up, or too many
    /// attempts have failed.
    HeldBack {
        /// When an attempt may begin.
        until: BootInstant,
    },
}
