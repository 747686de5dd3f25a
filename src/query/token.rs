//! A token as a caller receives it.

use std::sync::Arc;

use crate::lifecycle::Held;
use crate::profile::ProfileName;

/// A token as a caller receives it.
#[derive(Debug)]
pub struct TokenAnswer {
    /// The profile.
    pub profile: ProfileName,
    /// The token.
    pub held: Arc<Held>,
    /// Whether it is as good as the caller asked.
    pub freshness: Freshness,
}

/// How good a valid token is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Freshness {
    /// As it was asked for.
    Good,
    /// It has less validity left than was asked for.
    Short,
    /// It was reported as rejected, and no newer one is held yet.
    Reported,
}

// === impl Freshness ===

impl Freshness {
    /// Whether the interface calls the token stale.
    pub fn is_stale(self) -> bool {
        self != Self::Good
    }
}
