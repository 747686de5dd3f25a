//! Who may use a profile, and who can reach the socket, as the configuration says it: names become numbers here.

use std::borrow::Cow;
use std::fmt;

use crate::policy::Who;

/// Looks users and groups up by name. An argument, since the system that knows them is no part of the configuration.
pub trait Names {
    /// The number of a user; `None` when there is none of this name.
    ///
    /// # Errors
    /// [`LookupFailed`] when the system cannot say.
    fn user(&self, name: &str) -> Result<Option<u32>, LookupFailed>;

    /// The number of a group; `None` when there is none of this name.
    ///
    /// # Errors
    /// [`LookupFailed`] when the system cannot say.
    fn group(&self, name: &str) -> Result<Option<u32>, LookupFailed>;
}

/// Why a user or a group could not be looked up: what the system says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LookupFailed(pub Cow<'static, str>);

/// Finds every name, under one number: for who only wants to know what else is in a configuration.
pub(super) struct NotLookedUp;

/// One `allow` rule of a profile.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rule {
    /// Whom it allows.
    pub who: Who,
    /// The key that says it.
    pub(super) key: &'static str,
    /// The key's value.
    pub(super) value: String,
}

/// Who can connect to the token socket. Who may ask for what is decided by the rules, and not by this.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum SocketMode {
    /// Our own user, and root: 0600 in a folder of mode 0700.
    #[default]
    Private,
    /// This group as well: 0660 in a folder of mode 0710, both of the group.
    Group(u32),
    /// Everybody: 0666 in a folder of mode 0755.
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
    /// The rule as the configuration has it: `user = "alice"`.
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
