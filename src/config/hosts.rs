//! The addresses that a profile's tokens are for.

use crate::address::Address;
use crate::profile::ProfileName;

/// One `hosts` entry of a profile: an address below which its tokens may be sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HostEntry {
    /// The address: this origin, and this path with all below it.
    pub url: Address,
    /// The user name that goes with the token where a client sends one.
    pub username: Option<String>,
    /// How the server wants the token; `None` leaves it to what the server says.
    pub auth: Option<HostAuth>,
}

/// How a server wants a token.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum HostAuth {
    /// `Authorization: Bearer TOKEN`.
    Bearer,
    /// `Authorization: Basic`, with the token as the password.
    Basic,
}

/// The entry for an address, with its profile: of those that cover it, the one with the longest path. Without a path,
/// only an entry without one covers it.
pub fn entry_for<'a>(
    entries: impl Iterator<Item = (&'a ProfileName, &'a HostEntry)>,
    address: &Address,
) -> Option<(&'a ProfileName, &'a HostEntry)> {
    entries
        .filter(|(_, entry)| entry.url.covers(address))
        .max_by_key(|(_, entry)| entry.url.path().len())
}

// === impl HostAuth ===

impl HostAuth {
    /// Both.
    pub const ALL: [Self; 2] = [Self::Bearer, Self::Basic];

    /// The word in the configuration.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Bearer => "bearer",
            Self::Basic => "basic",
        }
    }
}
