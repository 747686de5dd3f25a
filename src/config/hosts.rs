//! The addresses that a profile's tokens are for.

use crate::address::Address;

/// One `hosts` entry of a profile: an address below which its tokens may be sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HostEntry {
    /// The address: it covers this origin, and this path with all paths below it.
    pub url: Address,
    /// The user name that clients send together with the token, if they send one.
    pub username: Option<String>,
    /// How the server expects the token; `None` leaves it to the server's challenge.
    pub auth: Option<HostAuth>,
}

/// The form in which a server expects a token.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum HostAuth {
    /// `Authorization: Bearer TOKEN`.
    Bearer,
    /// `Authorization: Basic`, with the token as the password.
    Basic,
}

/// Selects the item whose entry covers an address. If several do, the entry with the longest path wins; two entries
/// never have the same address, so there is no tie. An address without a path is covered only by an entry without one.
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
    /// Every way.
    pub const ALL: [Self; 2] = [Self::Bearer, Self::Basic];

    /// Returns the configuration's spelling.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Bearer => "bearer",
            Self::Basic => "basic",
        }
    }
}

#[cfg(test)]
mod tests;
