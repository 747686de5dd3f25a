//! Inputs and outputs of the state machine.

use std::borrow::Cow;

use crate::credential::CredentialId;
use crate::fault::{Block, Fault};
use crate::instant::{BootInstant, UnixTime};
use crate::lifecycle::Event;
use crate::token::Grant;

/// Result of a read of the store.
pub type StoreRead = Result<StoredCredentials, NotLoaded>;

/// The credentials that a read of the store found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct StoredCredentials {
    /// The credential to use.
    pub credential: CredentialId,
    /// The other key of the record, during a rotation.
    pub other: Option<CredentialId>,
}

/// The reason why no credential was loaded.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum NotLoaded {
    /// No credential can be used until something on this machine is put right.
    Blocked(Block),
    /// The store could not be read this time. The attempt has failed, and the next one may succeed.
    Failed(Fault),
}

/// The result of a call.
#[derive(Debug)]
pub enum CallEnd {
    /// The issuer granted a token.
    Granted {
        /// When the request was sent.
        sent: BootInstant,
        /// What the issuer granted.
        grant: Grant,
        /// The issuer's time, if the answer states a date.
        date: Option<UnixTime>,
    },
    /// The call failed.
    Failed {
        /// When the request was sent, or `None` if the call's time ran out before that.
        sent: Option<BootInstant>,
        /// The reason.
        fault: Fault,
    },
}

/// The next step of the keeper.
#[derive(Debug)]
#[must_use]
pub enum Decision {
    /// Wait for the next event.
    Wait,
    /// Read the store for the attempt, and pass the result to [`loaded`](super::Credentials::loaded).
    Load {
        /// The attempt's number.
        attempt: u64,
    },
    /// Call the issuer with this credential, and pass the result to [`answered`](super::Credentials::answered).
    Call {
        /// The attempt's number.
        attempt: u64,
        /// The credential's id.
        credential: CredentialId,
        /// When the call may begin.
        not_before: BootInstant,
    },
    /// Read the store outside any attempt, and pass the result to [`rechecked`](super::Credentials::rechecked).
    Recheck,
    /// Pass this event to the lifecycle. If that begins an attempt, call [`begin`](super::Credentials::begin) next.
    Pass(Event),
}

// === impl NotLoaded ===

impl NotLoaded {
    /// Creates the error for a read whose task was lost.
    pub fn lost(what: &str) -> Self {
        Self::Blocked(Block::Unusable {
            detail: what.to_owned(),
        })
    }

    /// Returns the reason in words.
    pub fn detail(&self) -> Cow<'_, str> {
        match self {
            Self::Blocked(block) => Cow::Owned(block.to_string()),
            Self::Failed(fault) => Cow::Borrowed(&fault.detail),
        }
    }
}
