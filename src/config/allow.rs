//! Access rules in the configuration: who may use a profile, and who can reach the socket.

use std::fmt;

use super::named::{Name, ResolvedName};
use crate::policy::{IdRange, RuleScope};

/// One `allow` rule of a profile.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rule {
    /// The users or groups that it allows.
    pub(super) subject: RuleSubject,
    /// The key of the rule.
    pub(super) key: &'static str,
    /// The key's value.
    pub(super) value: String,
}

/// The users or groups that a rule allows, as the configuration names them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum RuleSubject {
    /// By number.
    Numbers(RuleScope),
    /// By name.
    Name(ResolvedName),
}

/// The users who can connect to the token socket. The mode does not decide which profiles a user may request; the rules
/// do.
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

// === impl Rule ===

impl Rule {
    /// Returns the users or groups that the rule allows. `None` turns the rule off: the machine has no number for its
    /// name.
    pub fn who(&self) -> Option<RuleScope> {
        let named = match &self.subject {
            RuleSubject::Numbers(who) => return Some(*who),
            RuleSubject::Name(named) => named,
        };
        let id = IdRange::one(named.id()?)?;
        Some(match named.name() {
            Name::User(_) => RuleScope::Users(id),
            Name::Group(_) => RuleScope::Groups(id),
        })
    }

    /// Reports whether two lists of rules allow the same users and groups.
    pub fn allow_alike(rules: &[Self], others: &[Self]) -> bool {
        let who = |rules: &[Self]| rules.iter().map(Self::who).collect::<Vec<_>>();
        who(rules) == who(others)
    }

    /// Returns the name in the rule, if the rule names its subject.
    pub const fn named(&self) -> Option<&ResolvedName> {
        match &self.subject {
            RuleSubject::Numbers(_) => None,
            RuleSubject::Name(named) => Some(named),
        }
    }

    pub(super) const fn named_mut(&mut self) -> Option<&mut ResolvedName> {
        match &mut self.subject {
            RuleSubject::Numbers(_) => None,
            RuleSubject::Name(named) => Some(named),
        }
    }
}

impl fmt::Display for Rule {
    /// Writes the rule as it is written in the configuration: `user = "alice"`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} = \"{}\"", self.key, self.value.escape_debug())
    }
}

// === impl SocketMode ===

impl SocketMode {
    /// Returns the mode for a group by name: private while the machine has no number for it.
    pub(super) fn of_group(named: &ResolvedName) -> Self {
        named.id().map_or(Self::Private, Self::Group)
    }

    /// Returns the mode in the configuration's spelling.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Private => "private",
            Self::Group(_) => "group",
            Self::All => "all",
        }
    }
}
