//! The definition of an attack.

use std::path::Path;

use super::party::Attackers;

/// An attack on the server at a socket.
pub(crate) struct Attack {
    pub(crate) name: &'static str,
    /// Whether the daemon holds the longest possible token, as that of the profile `big`.
    pub(crate) long_token: bool,
    /// Starts the attackers, which run until their party is ended.
    pub(crate) start: fn(&Path) -> Attackers,
}
