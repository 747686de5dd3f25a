//! The list of keys from a server.

use super::kind::Family;
use super::list::Application;
use crate::instant::UnixTime;

/// A list of keys from a server.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Listed {
    /// The family of endpoints that sent the list.
    pub family: Family,
    /// The keys, in the server's order.
    pub keys: Vec<Application>,
    /// Whether the server may have more keys, because the list has the maximum length.
    pub may_have_more: bool,
    /// The server's clock at the answer, if it was sent.
    pub server_date: Option<UnixTime>,
}

/// The keys in one answer.
pub(super) struct Page {
    pub(super) keys: Vec<Application>,
    pub(super) server_date: Option<UnixTime>,
}
