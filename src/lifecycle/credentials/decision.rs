//! The inputs and outputs of the machine.

use std::borrow::Cow;

use crate::credential::CredentialId;
use crate::fault::{Block, Fault};
use crate::instant::{BootInstant, UnixTime};
use crate::lifecycle::Event;
use crate::token::Grant;

/// The result of a read of the store: what was found, or the reason for nothing.
pub type Read = Result<Found, NotLoaded>;

/// What a read of the store found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Found {
    /// The credential that is to be used.
    pub credential: CredentialId,
    /// The other key of the record, while its key is being rotated.
    pub other: Option<CredentialId>,
}

/// Why no credential was loaded.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum NotLoaded {
    /// No credential can be used until something on this machine is put right.
    Blocked(Block),
    /// The store could not be read this time. The attempt failed, and the next one may succeed.
    Failed(Fault),
}

/// How a call ended.
#[derive(Debug)]
pub enum CallEnd {
    /// With a token.
    Granted {
        /// When the request was sent.
        sent: BootInstant,
        /// What the issuer granted.
        grant: Grant,
        /// What the issuer's clock showed, if the answer has a date.
        date: Option<UnixTime>,
    },
    /// Without a token.
    Failed {
        /// When the request was sent; `None` when its time was over before that.
        sent: Option<BootInstant>,
        /// Why.
        fault: Fault,
    },
}

/// The next step of the keeper.
#[derive(Debug)]
#[must_use]
pub enum Decision {
    /// Nothing.
    Wait,
    /// Read the store for the attempt, and give the result to [`loaded`](super::Credentials::loaded).
    Load {
        /// The attempt's number.
        attempt: u64,
    },
    /// Call the issuer with the credential that was read last, and give the end to
    /// [`answered`](super::Credentials::answered).
    Call {
        /// The attempt's number.
        attempt: u64,
        /// The credential's id.
        credential: CredentialId,
        /// When the call may begin.
        not_before: BootInstant,
    },
    /// Read the store apart from any attempt, and give the result to [`rechecked`](super::Credentials::rechecked).
    Recheck,
    /// Give this event to the lifecycle. If that begins an attempt, [`begin`](super::Credentials::begin) is next.
    Tell(Event),
}

// === impl NotLoaded ===

impl NotLoaded {
    /// The error for a task that was lost.
    pub fn lost(what: &str) -> Self {
        Self::Blocked(Block::Unusable {
            detail: what.to_owned(),
        })
    }

    /// The reason for people.
    pub fn detail(&self) -> Cow<'_, str> {
        match self {
            Self::Blocked(block) => Cow::Owned(block.to_string()),
            Self::Failed(fault) => Cow::Borrowed(&fault.detail),
        }
    }
}
