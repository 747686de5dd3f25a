//! One call of a verb, and how it continues.

use crate::query::{Question, RotateQuery};
use crate::wire::frame::{Instruction, Invocation};

/// A run of the companion, with the arguments that belong to the verb.
#[derive(Clone, Copy)]
pub(super) struct Call<'a> {
    /// The run.
    pub(super) run: &'a Invocation,
    /// The arguments after the verb; under the name of another program, all arguments.
    pub(super) words: &'a [String],
}

/// The next step for a run of the companion.
pub enum NextStep {
    /// Query the daemon, and print the answer.
    Ask(Question),
    /// Answer at once: with help, with the usage if the arguments are invalid, or by asking for standard input.
    Answer(Instruction),
    /// Find out whether this rotation can be made, and if so ask the person this question.
    Confirm(RotateQuery, String),
}
