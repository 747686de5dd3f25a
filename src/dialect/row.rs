//! The row type of the two tables: verbs, and other tools' protocols.

use super::args::{Grammar, Usage};
use super::call::{Call, NextStep};

/// One row: a verb or a protocol.
pub(super) struct Verb {
    /// The arguments of the verb, and its help.
    pub(super) grammar: &'static Grammar,
    /// The name under which another program starts the companion, as in `docker-credential-NAME`. All arguments then
    /// belong to that program's protocol.
    pub(super) program: Option<&'static str>,
    /// Whether the verb needs the admin socket.
    pub(super) is_admin: bool,
    /// Parses a call.
    pub(super) parse: fn(&Call<'_>) -> Result<NextStep, Usage>,
}

/// Creates a row for a verb that other programs do not start by another name.
pub(super) const fn verb(
    grammar: &'static Grammar,
    parse: fn(&Call<'_>) -> Result<NextStep, Usage>,
) -> Verb {
    Verb {
        grammar,
        program: None,
        is_admin: false,
        parse,
    }
}
