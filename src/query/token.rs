//! A token as served to a caller.

use std::sync::Arc;

use crate::lifecycle::HeldToken;
use crate::profile::ProfileName;

/// A token as served to a caller.
#[derive(Debug)]
pub struct TokenAnswer {
    /// The profile.
    pub profile: ProfileName,
    /// The token.
    pub held: Arc<HeldToken>,
    /// Whether the token meets the caller's request.
    pub freshness: Freshness,
}

/// The degree to which a valid token meets a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Freshness {
    /// It meets the request.
    Good,
    /// It has less validity left than requested.
    Short,
    /// It was reported as rejected, and no newer one is held yet.
    Reported,
}

// === impl Freshness ===

impl Freshness {
    /// Whether the local interface marks the token as stale.
    pub fn is_stale(self) -> bool {
        self != Self::Good
    }
}
