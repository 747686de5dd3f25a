//! A row of the table of other tools' protocols.

use super::super::row::Verb;
use super::client::Client;

/// A row of the table.
pub(in crate::dialect) struct Tool {
    /// The verb, and the name under which the tool starts the companion.
    pub(in crate::dialect) verb: Verb,
    /// How its client keeps what it is given.
    pub(in crate::dialect) client: Client,
}
