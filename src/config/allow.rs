//! Access rules in the configuration: who may use a profile, and who can reach the socket. Names become numbers here.

use std::borrow::Cow;
use std::fmt;

use crate::policy::Who;

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

/// One `allow` rule of a profile.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rule {
    /// The users or groups that it allows.
    pub who: Who,
    /// The key of the rule.
    pub(super) key: &'static str,
    /// The key's value.
    pub(super) value: String,
}

/// Who can connect to the token socket. It does not decide who may ask for which profile; the rules do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum SocketMode {
    /// Our own user, and root: 0600 in a folder of mode 0700.
    #[default]
    Private,
    /// This group as well: 0660 in a folder of mode 0710, both of the group.
    Group(u32),
    /// Every user: 0666 in a folder of mode 0755.
    All,
}

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

// === impl Rule ===

impl fmt::Display for Rule {
    /// The rule as it is written in the configuration: `user = "alice"`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} = \"{}\"", self.key, self.value.escape_debug())
    }
}

// === impl SocketMode ===

impl SocketMode {
    /// The mode as the configuration spells it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Private => "private",
            Self::Group(_) => "group",
            Self::All => "all",
        }
    }
}
