//! Events of a profile, and their effects.

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
    /// The moment of [`next_wake`](super::Lifecycle::next_wake) has come, or may have come.
    Due {
        /// When a caller last asked for a token. The start counts as a request.
        asked: BootInstant,
    },
    /// A caller waits for a token with at least this much validity left.
    Wanted {
        /// As in the request. [`step`](super::Lifecycle::step) clamps it to half the lifetime.
        min_valid: Duration,
    },
    /// A user requested a refresh, and the budget allowed it.
    RefreshRequested,
    /// A caller reports that the resource rejected the token of this generation.
    Reported {
        /// The generation. A report of any token but the held one changes nothing.
        generation: u64,
        /// The user that reports it.
        reporter: Reporter,
    },
    /// The issuer gave the client another token, not through this profile. It may have invalidated earlier ones.
    Superseded {
        /// The latest possible moment of that.
        at: BootInstant,
    },
    /// The machine was suspended. Its connections are dead without an error, so a running attempt must start over.
    Resumed {
        /// Duration of the suspend.
        suspended: Duration,
    },
    /// The wall clock was set, so the times that were shown have changed.
    ClockSet,
    /// The configuration has a new policy for the profile. The token stays.
    PolicyChanged {
        /// The new policy.
        policy: Policy,
    },
    /// The store was locked, so the credential and the token are dropped.
    Locked,
    /// The credential was replaced, so a running attempt with the old one no longer counts. A new attempt begins at
    /// once, unless a valid token is held and there is no failure.
    CredentialChanged,
    /// The reason that blocks the profile may have changed, which the next attempt will show. Does not reset the
    /// rejection count.
    Recheck,
    /// An attempt brought a token.
    Fetched {
        /// The attempt's number.
        attempt: u64,
        /// When its request was sent.
        sent: BootInstant,
        /// What the issuer granted.
        grant: Grant,
        /// The issuer's time, if the answer states a date.
        date: Option<UnixTime>,
    },
    /// A token was granted for the stored credential outside the attempts.
    Adopted {
        /// When its request was sent.
        sent: BootInstant,
        /// What the issuer granted.
        grant: Grant,
        /// The issuer's time, if the answer states a date.
        date: Option<UnixTime>,
    },
    /// An attempt failed.
    Failed {
        /// The attempt's number.
        attempt: u64,
        /// The reason.
        fault: Fault,
        /// How often in a row the issuer has rejected this attempt's credential, this time included.
        rejections: RejectionCount,
    },
    /// An attempt could not make a call.
    Blocked {
        /// The attempt's number.
        attempt: u64,
        /// The reason.
        block: Block,
    },
    /// An attempt sent nothing, because the issuer had rejected its credential and the probe is not due yet.
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
    /// Returns the attempt that ends with this event, if one does.
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
            | Self::Recheck => None,
        }
    }
}

/// Action that the keeper has to take.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[must_use]
pub enum Effect {
    /// Do nothing.
    None,
    /// Drop the running attempt: the store was locked, or a token came from elsewhere.
    Stop,
    /// Start this attempt, and drop any other that still runs.
    Fetch {
        /// The attempt's number, which comes back with its result.
        attempt: u64,
    },
}
