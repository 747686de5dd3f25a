//! The events of a profile, and their effects.

use std::time::Duration;

use super::Reporter;
use super::policy::Policy;
use crate::fault::{Block, Fault};
use crate::instant::{BootInstant, UnixTime};
use crate::schedule::RejectionCount;
use crate::token::Grant;

/// An event of a profile.
#[derive(Debug)]
pub enum Event {
    /// The moment given by [`next_wake`](super::Lifecycle::next_wake) has come, or may have.
    Due {
        /// When a caller last asked for a token; the start counts as a request.
        asked: BootInstant,
    },
    /// A caller waits for a token with at least this much validity left.
    Wanted {
        /// As the caller asked, clamped to half the lifetime by [`step`](super::Lifecycle::step).
        min_valid: Duration,
    },
    /// A person asked for a refresh, and the budget allowed it.
    RefreshRequested,
    /// A caller reports that the resource rejected the token of this generation.
    Reported {
        /// The generation. A report of any other than the held token changes nothing.
        generation: u64,
        /// Who reports it.
        reporter: Reporter,
    },
    /// The issuer gave the client another token past the daemon, which may have ended those before it.
    Superseded {
        /// When, at the latest.
        at: BootInstant,
    },
    /// The machine was suspended: its connections are dead without an error, so an attempt has to start over.
    Resumed {
        /// For how long.
        suspended: Duration,
    },
    /// The wall clock was set, so the times that were shown have changed.
    ClockSet,
    /// The configuration has another policy for the profile, whose token stays.
    PolicyChanged {
        /// The new one.
        policy: Policy,
    },
    /// The store was locked: the credential and the token are forgotten.
    Locked,
    /// The credential was replaced: an attempt with the old one no longer counts. It leads to an attempt at once, unless a
    /// valid token is held and all is well.
    CredentialChanged,
    /// The reason that blocks the profile may be another one now; the next attempt shows which. Does not reset the
    /// rejection count.
    LookAgain,
    /// An attempt brought a token.
    Fetched {
        /// The attempt's number.
        attempt: u64,
        /// When its request was sent.
        sent: BootInstant,
        /// What the issuer granted.
        grant: Grant,
        /// What the issuer's clock showed, if the answer has a date.
        date: Option<UnixTime>,
    },
    /// A token was granted for the stored credential, past the attempts.
    Adopted {
        /// When its request was sent.
        sent: BootInstant,
        /// What the issuer granted.
        grant: Grant,
        /// What the issuer's clock showed, if the answer has a date.
        date: Option<UnixTime>,
    },
    /// An attempt failed.
    Failed {
        /// The attempt's number.
        attempt: u64,
        /// Why.
        fault: Fault,
        /// How often in a row the issuer has rejected this attempt's credential, this time included.
        rejections: RejectionCount,
    },
    /// An attempt could not be made.
    Blocked {
        /// The attempt's number.
        attempt: u64,
        /// Why.
        block: Block,
    },
    /// An attempt sent nothing: the issuer rejected its credential before, and the probe is not due yet.
    Withheld {
        /// The attempt's number.
        attempt: u64,
        /// How often in a row the issuer has rejected the credential.
        rejections: RejectionCount,
        /// When the probe is due.
        until: BootInstant,
    },
}

// === impl Event ===

impl Event {
    /// The attempt that ends with this event, if one does.
    pub(super) const fn attempt(&self) -> Option<u64> {
        match self {
            Self::Fetched { attempt, .. }
            | Self::Failed { attempt, .. }
            | Self::Blocked { attempt, .. }
            | Self::Withheld { attempt, .. } => Some(*attempt),
            Self::Due { .. }
            | Self::Wanted { .. }
            | Self::RefreshRequested
            | Self::Reported { .. }
            | Self::Superseded { .. }
            | Self::Resumed { .. }
            | Self::Adopted { .. }
            | Self::ClockSet
            | Self::PolicyChanged { .. }
            | Self::Locked
            | Self::CredentialChanged
            | Self::LookAgain => None,
        }
    }
}

/// What the keeper has to do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[must_use]
pub enum Effect {
    /// Nothing.
    None,
    /// Drop the attempt that runs: its credential was replaced, and none may begin now.
    Stop,
    /// Start this attempt, and drop any other that still runs.
    Fetch {
        /// Its number, to be given back with its result.
        attempt: u64,
    },
}
