//! Questions on the terminal, each of which depends on the answers before it. If a person stops and continues this
//! process, the last question is asked again.

use std::io;

use signal_hook::consts::SIGTSTP;
use zeroize::Zeroizing;

use super::editor::Line;
use super::signals::{SignalEffect, Signals};
use super::terminal::{InputResult, Terminal, TypingMode};

/// The next step after an answer.
pub(super) enum NextStep {
    /// Another question, after this text.
    Ask { shown: String, question: String },
    /// The end, after this text.
    Enough { shown: String },
}

/// The lines of every answer.
pub(super) struct Answers {
    pub(super) lines: Vec<Vec<Line>>,
    /// The bytes that were typed or pasted after them.
    pub(super) rest: Zeroizing<Vec<u8>>,
}

/// Asks this question, and then the questions that `next` returns; `None` if the input ends without an answer.
///
/// # Errors
/// The system's. [`io::ErrorKind::InvalidData`] for a line that is too long.
pub(super) fn ask(
    first: &str,
    typing: TypingMode,
    next: &dyn Fn(&[Vec<Line>]) -> NextStep,
) -> io::Result<Option<Answers>> {
    let mut signals = Signals::catch()?;
    let mut terminal = Terminal::open(typing)?;
    let mut question = first.to_owned();
    let mut lines = vec![];
    // Text that was typed before a stop is not an answer.
    let mut goes_on = false;
    let answers = loop {
        terminal.begin(&question, goes_on, &signals)?;
        goes_on = false;
        match terminal.answer(&mut signals)? {
            InputResult::Lines(answer) => {
                lines.push(answer);
                match next(&lines) {
                    NextStep::Ask { shown, question: q } => {
                        terminal.show(&shown)?;
                        question = q;
                        goes_on = true;
                    }
                    NextStep::Enough { shown } => {
                        terminal.show(&shown)?;
                        let rest = terminal.take_rest();
                        break Some(Answers { lines, rest });
                    }
                }
            }
            InputResult::End => {
                if typing == TypingMode::Shown {
                    // The next message needs a line of its own.
                    let _: io::Result<()> = terminal.end_line();
                }
                break None;
            }
            InputResult::Signal(SignalEffect::End(signal)) => {
                terminal.restore();
                signals.obey(signal);
            }
            InputResult::Signal(SignalEffect::Stop) => {
                terminal.restore();
                signals.obey(SIGTSTP);
            }
            InputResult::Signal(SignalEffect::GoOn) => {}
        }
    };
    terminal.restore();
    signals.release();
    Ok(answers)
}
