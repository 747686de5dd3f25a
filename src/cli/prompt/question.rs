//! Single questions, and messages about text that was typed after the answer.

use std::io;

use zeroize::Zeroizing;

use super::super::output::{Exit, fail, print_note};
use super::conversation::{self, Answers, NextStep};
use super::editor::Line;
use super::pasted;
use super::terminal::TypingMode;
use crate::process::logging;

/// Asks for a line; the answer is trimmed.
pub(in super::super) fn line(question: &str) -> Result<String, Exit> {
    let answer = typed(question, TypingMode::Shown)?;
    Ok(pasted::unmarked(&answer).trim().to_owned())
}

/// Asks for consent; any answer but yes means no.
pub(in super::super) fn confirmed(question: &str) -> Result<bool, Exit> {
    let answer = line(&format!("{question} [y/N]"))?;
    Ok(["y", "yes"].contains(&answer.to_ascii_lowercase().as_str()))
}

/// Asks for consent to the usual choice; any answer but no means yes.
pub(in super::super) fn agreed(question: &str) -> Result<bool, Exit> {
    let answer = line(&format!("{question} [Y/n]"))?;
    Ok(!["n", "no"].contains(&answer.to_ascii_lowercase().as_str()))
}

/// Asks for a secret, without echo, and returns it unchanged.
pub(in super::super) fn secret(question: &str) -> Result<Zeroizing<String>, Exit> {
    typed(question, TypingMode::Hidden)
}

/// Asks for a line, and reports how much text after it was discarded.
fn typed(question: &str, typing: TypingMode) -> Result<Zeroizing<String>, Exit> {
    let next = |_: &[Vec<Line>]| NextStep::Enough {
        shown: String::new(),
    };
    let Answers { lines, rest } = ask(question, typing, &next)?;
    let mut lines = lines.iter().flatten();
    let answer = lines.next().map_or(&b""[..], |line| line.as_slice());
    let more: usize = lines.map(|line| lines_of(line)).sum();
    tell_of(more + lines_of(&rest));
    Ok(Zeroizing::new(text(answer, "what was typed")?.to_owned()))
}

/// Asks a question, and then those that `next` returns.
pub(super) fn ask(
    question: &str,
    typing: TypingMode,
    next: &dyn Fn(&[Vec<Line>]) -> NextStep,
) -> Result<Answers, Exit> {
    match conversation::ask(&logging::printable(question), typing, next) {
        Ok(Some(answers)) => Ok(answers),
        Ok(None) => Err(fail(Exit::Usage, "nothing was typed, so nothing is done")),
        Err(error) if error.kind() == io::ErrorKind::InvalidData => Err(fail(Exit::Usage, error)),
        Err(error) => Err(fail(
            Exit::Failed,
            format!("the terminal cannot be read: {error}"),
        )),
    }
}

/// The number of lines that are not blank.
pub(super) fn lines_of(bytes: &[u8]) -> usize {
    let text = Zeroizing::new(String::from_utf8_lossy(bytes).into_owned());
    text.lines().filter(|line| !pasted::is_blank(line)).count()
}

/// Reports how many lines were discarded.
pub(super) fn tell_of(more: usize) {
    match more {
        0 => {}
        1 => print_note("one more line was typed or pasted: it is thrown away"),
        more => print_note(format!(
            "{more} more lines were typed or pasted: they are thrown away"
        )),
    }
}

/// Decodes the bytes as text.
pub(super) fn text<'a>(bytes: &'a [u8], what: &str) -> Result<&'a str, Exit> {
    std::str::from_utf8(bytes).map_err(|_| fail(Exit::Usage, format!("{what} is not text")))
}
