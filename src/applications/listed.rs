//! The keys that a server lists.

use super::kind::Family;
use super::list::Application;
use crate::instant::UnixTime;

/// The keys that a server lists.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Listed {
    /// The family that the server has.
    pub family: Family,
    /// The keys, in the server's order.
    pub keys: Vec<Application>,
    /// Whether the server may have more: the list is as long as one may be.
    pub may_have_more: bool,
    /// What the server's clock showed, if it was seen.
    pub server_date: Option<UnixTime>,
}

/// The keys in one answer.
pub(super) struct Page {
    pub(super) keys: Vec<Application>,
    pub(super) server_date: Option<UnixTime>,
}
