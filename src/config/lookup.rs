//! The look-up of users and groups by name.

use std::borrow::Cow;
use std::fmt;

/// A source of users and groups by name. It is a trait, since the system's accounts are not part of the configuration.
pub trait Names {
    /// Returns the number of a user; `None` if there is no user with this name.
    ///
    /// # Errors
    /// [`LookupFailed`] if the system cannot answer.
    fn user(&self, name: &str) -> Result<Option<u32>, LookupFailed>;

    /// Returns the number of a group; `None` if there is no group with this name.
    ///
    /// # Errors
    /// [`LookupFailed`] if the system cannot answer.
    fn group(&self, name: &str) -> Result<Option<u32>, LookupFailed>;
}

/// The reason why a user or a group could not be looked up, in the system's words.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LookupFailed(pub Cow<'static, str>);

/// A source that resolves every name to the same number, for callers that only need the rest of a configuration.
pub(super) struct FixedNames;

// === impl LookupFailed ===

impl fmt::Display for LookupFailed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for LookupFailed {}

// === impl NotLookedUp ===

impl Names for FixedNames {
    fn user(&self, _: &str) -> Result<Option<u32>, LookupFailed> {
        Ok(Some(0))
    }

    fn group(&self, _: &str) -> Result<Option<u32>, LookupFailed> {
        Ok(Some(0))
    }
}
