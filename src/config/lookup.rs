//! Looking up users and groups by name.

use std::borrow::Cow;
use std::fmt;

/// Looks up users and groups by name. A trait, since the system's accounts are not part of the configuration.
pub trait Names {
    /// The number of a user; `None` if there is no user of this name.
    ///
    /// # Errors
    /// [`LookupFailed`] if the system cannot answer.
    fn user(&self, name: &str) -> Result<Option<u32>, LookupFailed>;

    /// The number of a group; `None` if there is no group of this name.
    ///
    /// # Errors
    /// [`LookupFailed`] if the system cannot answer.
    fn group(&self, name: &str) -> Result<Option<u32>, LookupFailed>;
}

/// Why a user or a group could not be looked up, in the system's words.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LookupFailed(pub Cow<'static, str>);

/// Resolves every name to the same number: for callers that need the rest of a configuration only.
pub(super) struct NotLookedUp;

// === impl LookupFailed ===

impl fmt::Display for LookupFailed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for LookupFailed {}

// === impl NotLookedUp ===

impl Names for NotLookedUp {
    fn user(&self, _: &str) -> Result<Option<u32>, LookupFailed> {
        Ok(Some(0))
    }

    fn group(&self, _: &str) -> Result<Option<u32>, LookupFailed> {
        Ok(Some(0))
    }
}
