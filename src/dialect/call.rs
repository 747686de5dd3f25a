//! One call of a verb, and how it goes on.

use crate::query::Asked;
use crate::wire::frame::{Answer, Invocation};

/// A run of the companion, and which of its arguments are the verb's.
#[derive(Clone, Copy)]
pub(super) struct Call<'a> {
    /// The run.
    pub(super) run: &'a Invocation,
    /// What follows the verb; under the name of another program, what follows that name.
    pub(super) words: &'a [String],
}

/// How a run of the companion goes on.
pub enum Parsed {
    /// The daemon is asked, and the answer printed.
    Ask(Asked),
    /// This is the answer at once: help, the usage when the arguments make no sense, or to send standard input as well.
    Answer(Answer),
}
