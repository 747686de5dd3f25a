//! A client ID and its secret, typed one after the other or pasted together.
//!
//! The ID is read without echo, since the pasted text may contain the secret too. The ID is shown as soon as it is
//! separated from the secret.

use zeroize::Zeroizing;

use super::super::output::{Exit, fail};
use super::conversation::{Answers, NextStep};
use super::editor::Line;
use super::pasted::{self, Pasted, Value, is_blank};
use super::question::{agreed, ask, confirmed, lines_of, tell_of};
use super::terminal::TypingMode;
use crate::process::logging::printable;

/// The missing value to ask for.
#[derive(Debug, PartialEq, Eq)]
enum MissingValue {
    Id,
    Secret,
    Nothing,
}

/// The answers so far, read together.
struct ReadAnswers {
    pasted: Pasted,
    lack: MissingValue,
}

/// Asks for the client ID and the secret, without echo. If an ID is `stored`, Enter keeps it, and the returned ID is
/// empty. `secret_question` gets the ID.
pub(in super::super) fn client(
    id_question: &str,
    stored: Option<&str>,
    secret_question: &dyn Fn(&str) -> String,
) -> Result<(Zeroizing<String>, Zeroizing<String>), Exit> {
    let next = |answers: &[Vec<Line>]| follows(answers, stored, id_question, secret_question);
    let Answers { lines, rest } = ask(id_question, TypingMode::Hidden, &next)?;
    demand_text(&lines)?;
    let ReadAnswers { pasted, .. } = ReadAnswers::of(&texts(&lines), stored);
    tell_of(pasted.more + lines_of(&rest));
    let (id, secret) = match pasted.halves {
        None => (pasted.id, pasted.secret),
        Some((id, secret)) if confirmed(GAP)? => (Some(id), Some(secret)),
        Some(_) => {
            let id = bare("client ID", pasted.id)?;
            let secret = client_secret(&secret_question(&id), &id)?;
            return Ok((id, secret));
        }
    };
    bare_both(id.unwrap_or_default(), secret.unwrap_or_default())
}

/// The number of blank answers that end the dialogue. One may be a slip, and the next typed text must not be shown.
const MOST_BLANK: usize = 3;

/// The question about a line that is not shown.
const GAP: &str = "The line has a gap: is it the client ID and, after the gap, the secret?";

/// Asks for the client ID alone. A secret that is pasted with it is discarded.
pub(in super::super) fn client_id(question: &str) -> Result<Zeroizing<String>, Exit> {
    let next = |answers: &[Vec<Line>]| {
        let ReadAnswers { pasted, lack } = ReadAnswers::of(&texts(answers), None);
        match (lack, &pasted.id) {
            (MissingValue::Id, _) => NextStep::Ask {
                shown: "\n".to_owned(),
                question: printable(question).into_owned(),
            },
            // In a line with a gap, a part may be the secret.
            (_, Some(id)) if pasted.halves.is_none() => NextStep::Enough {
                shown: printable(&id.inner).into_owned(),
            },
            _ => NextStep::Enough {
                shown: String::new(),
            },
        }
    };
    let Answers { lines, rest } = ask(question, TypingMode::Hidden, &next)?;
    demand_text(&lines)?;
    let ReadAnswers { pasted, .. } = ReadAnswers::of(&texts(&lines), None);
    tell_of(pasted.more + usize::from(pasted.secret.is_some()) + lines_of(&rest));
    bare("client ID", pasted.id)
}

/// Asks for the secret of this client, without echo.
pub(in super::super) fn client_secret(
    question: &str,
    client_id: &str,
) -> Result<Zeroizing<String>, Exit> {
    let next = |_: &[Vec<Line>]| NextStep::Enough {
        shown: String::new(),
    };
    let Answers { lines, rest } = ask(question, TypingMode::Hidden, &next)?;
    demand_text(&lines)?;
    let pasted = pasted::secret(&texts(&lines).concat(), client_id);
    tell_of(pasted.more + lines_of(&rest));
    bare("client secret", pasted.secret)
}

/// The next step after these answers.
fn follows(
    answers: &[Vec<Line>],
    stored: Option<&str>,
    id_question: &str,
    secret_question: &dyn Fn(&str) -> String,
) -> NextStep {
    let answers = texts(answers);
    let before = answers.len().saturating_sub(1);
    let had_id = ReadAnswers::of(answers.get(..before).unwrap_or_default(), stored).has_id();
    let ReadAnswers { pasted, lack } = ReadAnswers::of(&answers, stored);
    let id = pasted.id.as_ref().map_or("", |id| id.inner.as_str());
    let is_blank_again = answers
        .last()
        .is_some_and(|lines| lines.iter().all(|line| is_blank(line)));
    let shown = match (had_id, pasted.halves.is_some()) {
        (true, _) if is_blank_again && lack != MissingValue::Nothing => "\n".to_owned(),
        (false, false) => format!("{}\n", printable(id)),
        // In a line with a gap, a part may be the secret.
        _ => String::new(),
    };
    let asked = || printable(&secret_question(id)).into_owned();
    match lack {
        MissingValue::Id => NextStep::Ask {
            shown,
            question: printable(id_question).into_owned(),
        },
        MissingValue::Secret => NextStep::Ask {
            shown,
            question: asked(),
        },
        // The question that was skipped is shown, since it says where the secret goes.
        MissingValue::Nothing if answers.len() == 1 && pasted.secret.is_some() => {
            NextStep::Enough {
                shown: format!("{shown}{}: it was pasted with the ID", asked()),
            }
        }
        MissingValue::Nothing => {
            let shown = shown.trim_end().to_owned();
            NextStep::Enough { shown }
        }
    }
}

// === impl Read ===

impl ReadAnswers {
    /// Reads the lines of each answer.
    fn of(answers: &[Vec<&str>], stored: Option<&str>) -> Self {
        let is_blank = |lines: &Vec<&str>| lines.iter().all(|line| is_blank(line));
        let (Some(first), Some(last)) = (answers.first(), answers.last()) else {
            return Self {
                pasted: Pasted::default(),
                lack: MissingValue::Id,
            };
        };
        if let (Some(stored), true) = (stored, is_blank(first)) {
            // Enter keeps the stored ID, so the next text is the secret.
            let behind = answers.get(1..).unwrap_or_default();
            let pasted = Pasted {
                id: Some(Value::default()),
                ..pasted::secret(&behind.concat(), stored)
            };
            let lack = match behind.is_empty() {
                true => MissingValue::Secret,
                false => MissingValue::Nothing,
            };
            return Self { pasted, lack };
        }
        let pasted = pasted::pair(&answers.concat());
        let lack = match (&pasted.id, &pasted.secret) {
            // The person keeps answering with blank lines.
            _ if answers.iter().rev().take_while(|it| is_blank(it)).count() >= MOST_BLANK => {
                MissingValue::Nothing
            }
            // Enter keeps the stored secret of this client.
            (Some(id), None) if is_blank(last) && stored == Some(id.inner.as_str()) => {
                MissingValue::Nothing
            }
            (Some(_), Some(_)) => MissingValue::Nothing,
            (Some(_), None) if pasted.halves.is_some() => MissingValue::Nothing,
            (Some(_), None) => MissingValue::Secret,
            (None, _) => MissingValue::Id,
        };
        Self { pasted, lack }
    }

    const fn has_id(&self) -> bool {
        self.pasted.id.is_some()
    }
}

/// The lines of each answer as text. A line that is not text is empty here, and refused when all lines are read.
fn texts(answers: &[Vec<Line>]) -> Vec<Vec<&str>> {
    let answers = answers.iter();
    answers
        .map(|lines| {
            let lines = lines.iter();
            lines
                .map(|line| std::str::from_utf8(line).unwrap_or_default())
                .collect()
        })
        .collect()
}

fn demand_text(answers: &[Vec<Line>]) -> Result<(), Exit> {
    let mut lines = answers.iter().flatten();
    match lines.all(|line| std::str::from_utf8(line).is_ok()) {
        true => Ok(()),
        false => Err(fail(Exit::Usage, "what was typed is not text")),
    }
}

/// Strips both values, if the person agrees. Asks only once about values that were pasted together.
fn bare_both(id: Value, secret: Value) -> Result<(Zeroizing<String>, Zeroizing<String>), Exit> {
    let (Some(of_id), Some(of_secret)) = (&id.around, &secret.around) else {
        let id = bare("client ID", Some(id))?;
        return Ok((id, bare("client secret", Some(secret))?));
    };
    let around = match of_id == of_secret {
        true => format!("The client ID and the client secret were typed with {of_id}"),
        false => {
            format!("The client ID was typed with {of_id}, and the client secret with {of_secret}")
        }
    };
    Ok(match agreed(&format!("{around}: remove that?"))? {
        true => (id.inner, secret.inner),
        false => (id.whole, secret.whole),
    })
}

/// Strips the text around a value, if the person agrees.
fn bare(what: &str, value: Option<Value>) -> Result<Zeroizing<String>, Exit> {
    let value = value.unwrap_or_default();
    let Some(around) = value.around else {
        return Ok(value.whole);
    };
    let question = format!("The {what} was typed with {around}: remove that?");
    Ok(match agreed(&question)? {
        true => value.inner,
        false => value.whole,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The next missing value after these answers, and the values that were found.
    fn read(answers: &[&[&str]], stored: Option<&str>) -> (MissingValue, String, String) {
        let answers: Vec<_> = answers.iter().map(|lines| lines.to_vec()).collect();
        let ReadAnswers { pasted, lack } = ReadAnswers::of(&answers, stored);
        let shown =
            |value: Option<Value>| value.map_or("-".to_owned(), |value| value.inner.to_string());
        (lack, shown(pasted.id), shown(pasted.secret))
    }

    #[test]
    fn the_prompt_asks_for_missing_values_and_accepts_enter() {
        let found = |lack, id: &str, secret: &str| (lack, id.to_owned(), secret.to_owned());
        for (answers, stored, expected) in [
            (
                &[&["abc"][..]][..],
                None,
                found(MissingValue::Secret, "abc", "-"),
            ),
            (
                &[&["abc"], &["xyz"]],
                None,
                found(MissingValue::Nothing, "abc", "xyz"),
            ),
            (
                &[&["abc", "xyz"]],
                None,
                found(MissingValue::Nothing, "abc", "xyz"),
            ),
            (
                &[&["abc", "", "xyz"]],
                None,
                found(MissingValue::Nothing, "abc", "xyz"),
            ),
            (
                &[&["abc"], &[""]],
                None,
                found(MissingValue::Secret, "abc", "-"),
            ),
            (
                &[&["abc"], &[""], &["xyz"]],
                None,
                found(MissingValue::Nothing, "abc", "xyz"),
            ),
            (
                &[&["abc"], &[""], &[""], &[""]],
                None,
                found(MissingValue::Nothing, "abc", "-"),
            ),
            (&[&[""]], None, found(MissingValue::Id, "-", "-")),
            (
                &[&[""], &[" "], &[""]],
                None,
                found(MissingValue::Nothing, "-", "-"),
            ),
            (
                &[&["SECRET=xyz"]],
                None,
                found(MissingValue::Id, "-", "xyz"),
            ),
            (
                &[&["SECRET=xyz"], &["abc"]],
                None,
                found(MissingValue::Nothing, "abc", "xyz"),
            ),
            (&[&["Client ID"]], None, found(MissingValue::Id, "-", "-")),
            (
                &[&["Client ID"], &["abc"]],
                None,
                found(MissingValue::Secret, "abc", "-"),
            ),
            (&[&[""]], Some("old"), found(MissingValue::Secret, "", "-")),
            (
                &[&[""], &[""]],
                Some("old"),
                found(MissingValue::Nothing, "", "-"),
            ),
            (
                &[&[""], &["xyz"]],
                Some("old"),
                found(MissingValue::Nothing, "", "xyz"),
            ),
            (
                &[&[""], &["old", "xyz"]],
                Some("old"),
                found(MissingValue::Nothing, "", "xyz"),
            ),
            (
                &[&["abc"], &[""]],
                Some("old"),
                found(MissingValue::Secret, "abc", "-"),
            ),
            (
                &[&["old"], &[""]],
                Some("old"),
                found(MissingValue::Nothing, "old", "-"),
            ),
        ] {
            assert_eq!(read(answers, stored), expected, "{answers:?}");
        }
    }

    #[test]
    fn the_prompt_echoes_the_client_id_but_not_the_secret() {
        let line = |text: &str| Zeroizing::new(text.as_bytes().to_vec());
        let shown = |answers: &[&[&str]]| {
            let answers: Vec<Vec<Line>> = answers
                .iter()
                .map(|lines| lines.iter().map(|text| line(text)).collect())
                .collect();
            match follows(&answers, None, "ID", &|id| format!("secret of {id}")) {
                NextStep::Ask { shown, question } => format!("{shown}|{question}"),
                NextStep::Enough { shown } => shown,
            }
        };
        for (answers, expected) in [
            (&[&["abc"][..]][..], "abc\n|secret of abc"),
            (&[&["abc"], &["xyz"]], ""),
            (
                &[&["abc", "xyz"]],
                "abc\nsecret of abc: it was pasted with the ID",
            ),
            (
                &[&["CLIENT_SECRET=xyz", "CLIENT_ID=abc"]],
                "abc\nsecret of abc: it was pasted with the ID",
            ),
            (&[&["CLIENT_SECRET=xyz"]], "\n|ID"),
            (&[&["CLIENT_SECRET=xyz"], &["abc"]], "abc"),
            (&[&["abc xyz"]], ""),
            (&[&["\u{1b}[2Jabc"]], "\\x1b[2Jabc\n|secret of \\x1b[2Jabc"),
            (&[&[""]], "\n|ID"),
            (&[&["abc"], &[""]], "\n|secret of abc"),
        ] {
            assert_eq!(shown(answers), expected, "{answers:?}");
        }
    }
}
