//! The row type of the table of other tools' protocols.

use super::super::row::Verb;
use super::client::ClientBehaviour;

/// One row: a tool's protocol.
pub(in crate::dialect) struct Tool {
    /// The verb, and the name under which the tool starts the companion.
    pub(in crate::dialect) verb: Verb,
    /// How the tool's client treats a token.
    pub(in crate::dialect) client: ClientBehaviour,
}
