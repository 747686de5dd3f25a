//! When a profile's token is refreshed, as far as its configuration says.

use crate::schedule::Reissue;

/// The refresh policy of a profile's configuration.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Policy {
    /// Whether the token is refreshed even if no caller asks for it.
    pub keep_warm: bool,
    /// What the issuer does when it is asked while its last token is still valid.
    pub reissue: Reissue,
}
