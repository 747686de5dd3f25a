//! The states that a keeper has logged, so that it does not log the same state twice.

use std::sync::Arc;

use crate::lifecycle::OutageTracker;

/// The states that have been logged.
#[derive(Debug, Default)]
pub(super) struct LoggedStates {
    /// Whether the log says that the issuer gives the same token until it expires.
    pub(super) repeated: bool,
    /// Whether the log says that the issuer's clock and this machine's clock differ too much.
    pub(super) skew: bool,
    /// The last logged reason why the stored credential cannot be used while another one stays in use.
    pub(super) unusable: Option<Arc<str>>,
    /// Whether the log says that the former credential stays in use.
    pub(super) former: bool,
    /// The last logged part of the scope that the issuer did not grant.
    pub(super) missing_scope: Option<Box<str>>,
    /// The reports about the time without a valid token that were logged.
    pub(super) outage: OutageTracker,
}
