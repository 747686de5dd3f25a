//! What the log of a keeper says already, so that it is not said again.

use crate::lifecycle::Outage;

/// What the log says already.
#[derive(Debug, Default)]
pub(super) struct Logged {
    /// Whether it says that the issuer gives the same token until it expires.
    pub(super) repeated: bool,
    /// Whether it says that the issuer's clock and this machine's are far apart.
    pub(super) skew: bool,
    /// Why the credential could not be read, as logged last.
    pub(super) unreadable: Option<String>,
    /// Whether it says that the former credential stays in use.
    pub(super) former: bool,
    /// What the issuer did not grant of the scope, as logged last.
    pub(super) missing_scope: Option<Box<str>>,
    /// What it says of the time without a valid token.
    pub(super) outage: Outage,
}
