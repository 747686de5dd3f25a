//! The addresses that a profile's tokens are for.

use crate::address::Address;

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

/// The item for an address among those of which each has an entry: of the entries that cover the address, the one with the
/// longest path. Without a path, only an entry without one covers it. No two entries have the same address, so there is
/// no tie.
pub fn entry_for<T>(
    items: impl Iterator<Item = T>,
    entry: impl Fn(&T) -> &HostEntry,
    address: &Address,
) -> Option<T> {
    items
        .filter(|item| entry(item).url.covers(address))
        .max_by_key(|item| entry(item).url.path().len())
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

#[cfg(test)]
mod tests;
