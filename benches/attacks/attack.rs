//! What an attack is.

use std::path::Path;

use super::party::Party;

/// An attack on whoever listens at a socket.
pub(crate) struct Attack {
    pub(crate) name: &'static str,
    /// Whether the daemon holds the longest token there can be, as the token of `big`.
    pub(crate) long_token: bool,
    /// Starts the attackers, who work until their party is ended.
    pub(crate) start: fn(&Path) -> Party,
}
