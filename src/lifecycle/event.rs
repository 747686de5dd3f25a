//! What happens to a profile, and what follows.

use std::time::Duration;

use crate::fault::{Block, Fault};
use crate::instant::{BootInstant, UnixTime};
use crate::token::Grant;

/// What happens to a profile.
#[derive(Debug)]
pub enum Event {
    /// The moment given by [`next_wake`](super::Lifecycle::next_wake) has come, or may have.
    Due {
        /// When somebody asked for a token last; the start counts as asking.
        asked: BootInstant,
    },
    /// A caller waits for a token with at least this much validity left.
    Wanted {
        /// As the caller asked, clamped to half the lifetime by [`step`](super::Lifecycle::step).
        min_valid: Duration,
    },
    /// A person asked for a refresh, and the budget allowed it.
    RefreshRequested,
    /// Somebody says that the token of this generation was rejected by what it is for.
    Reported {
        /// Which; any other than the one held is old news, or none.
        generation: u64,
    },
    /// The machine was suspended: connections are dead without having been told so, and a new start is due.
    Resumed {
        /// For how long.
        suspended: Duration,
    },
    /// The wall clock was set: what is shown has changed.
    ClockSet,
    /// The credential was replaced: what runs with the old one no longer counts.
    CredentialChanged,
    /// What keeps it from asking may be another reason now: the next look says which. It is no word for a secret that was
    /// rejected.
    LookAgain,
    /// An attempt brought a token.
    Fetched {
        /// The attempt's number.
        attempt: u64,
        /// When its request was sent.
        sent: BootInstant,
        /// What the issuer granted.
        grant: Grant,
        /// What the issuer's clock showed, if it said so.
        date: Option<UnixTime>,
    },
    /// An attempt failed.
    Failed {
        /// The attempt's number.
        attempt: u64,
        /// Why.
        fault: Fault,
        /// How often in a row the issuer has rejected this attempt's credential, this time included.
        rejections: u32,
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
        rejections: u32,
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
            | Self::Resumed { .. }
            | Self::ClockSet
            | Self::CredentialChanged
            | Self::LookAgain => None,
        }
    }
}

/// What the machine asks of its surroundings.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[must_use]
pub enum Effect {
    /// Nothing.
    None,
    /// Start this attempt, and drop any other that still runs.
    Fetch {
        /// Its number, to be given back with its result.
        attempt: u64,
    },
}
