//! A row of the tables of verbs and of other tools' protocols.

use super::args::{Grammar, Usage};
use super::call::{Call, Parsed};

/// A row of a table.
pub(super) struct Verb {
    /// The arguments of the verb, and its help.
    pub(super) grammar: &'static Grammar,
    /// The name under which another program starts the companion to speak this protocol, as in
    /// `docker-credential-NAME`; then all arguments are that program's.
    pub(super) program: Option<&'static str>,
    /// Whether it needs the admin socket.
    pub(super) is_admin: bool,
    /// Parses a call.
    pub(super) parse: fn(&Call<'_>) -> Result<Parsed, Usage>,
}

/// A row that only has a verb of its own.
pub(super) const fn verb(
    grammar: &'static Grammar,
    parse: fn(&Call<'_>) -> Result<Parsed, Usage>,
) -> Verb {
    Verb {
        grammar,
        program: None,
        is_admin: false,
        parse,
    }
}
