//! Refresh policy of a profile, as configured.

use crate::schedule::Reissue;

/// Refresh policy of a profile, as configured.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Policy {
    /// Whether the token is refreshed even if no caller asks for it.
    pub keep_warm: bool,
    /// How the issuer answers a request while its last token is still valid.
    pub reissue: Reissue,
}
