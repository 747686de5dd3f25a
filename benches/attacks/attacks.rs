//! The attacks, one per file. A new attack is a file and a row in [`ALL`].

mod bodies;
mod connects;
mod half_open;
mod idle;
mod line_ends;
mod pipelining;
mod refusals;
mod unread;

use super::attack::Attack;

/// All attacks.
pub(crate) static ALL: &[Attack] = &[
    half_open::STRANGERS,
    idle::TWO_USERS,
    line_ends::EMPTY_LINES,
    connects::OPEN_AND_CLOSE,
    refusals::CHURN,
    pipelining::SHORT_ANSWERS,
    bodies::HELD_SHORT,
    unread::TOKENS,
    unread::LISTS,
    unread::DOCUMENTS,
    idle::WATCHES,
];
