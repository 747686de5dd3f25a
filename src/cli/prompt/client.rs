//! A client ID and its secret, typed one after the other or pasted together.
//!
//! The ID is read without echo, since the pasted text may contain the secret too. The ID is shown as soon as it is
//! separated from the secret.

use zeroize::Zeroizing;

use super::super::output::{Exit, fail};
use super::conversation::{Answers, Next};
use super::editor::Line;
use super::pasted::{self, Pasted, Value, is_blank};
use super::question::{agreed, ask, confirmed, lines_of, tell_of};
use super::terminal::Typing;
use crate::process::logging::printable;

/// The missing value to ask for.
#[derive(Debug, PartialEq, Eq)]
enum Lack {
    Id,
    Secret,
    Nothing,
}

/// The answers so far, read together.
struct Read {
    pasted: Pasted,
    lack: Lack,
}

/// Asks for the client ID and the secret, without echo. If an ID is `stored`, Enter keeps it, and the returned ID is
/// empty. `secret_question` gets the ID.
pub(in super::super) fn client(
    id_question: &str,
    stored: Option<&str>,
    secret_question: &dyn Fn(&str) -> String,
) -> Result<(Zeroizing<String>, Zeroizing<String>), Exit> {
    let next = |answers: &[Vec<Line>]| follows(answers, stored, id_question, secret_question);
    let Answers { lines, rest } = ask(id_question, Typing::Hidden, &next)?;
    demand_text(&lines)?;
    let Read { pasted, .. } = Read::of(&texts(&lines), stored);
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
        let Read { pasted, lack } = Read::of(&texts(answers), None);
        match (lack, &pasted.id) {
            (Lack::Id, _) => Next::Ask {
                shown: "\n".to_owned(),
                question: printable(question).into_owned(),
            },
            // In a line with a gap, a part may be the secret.
            (_, Some(id)) if pasted.halves.is_none() => Next::Enough {
                shown: printable(&id.inner).into_owned(),
            },
            _ => Next::Enough {
                shown: String::new(),
            },
        }
    };
    let Answers { lines, rest } = ask(question, Typing::Hidden, &next)?;
    demand_text(&lines)?;
    let Read { pasted, .. } = Read::of(&texts(&lines), None);
    tell_of(pasted.more + usize::from(pasted.secret.is_some()) + lines_of(&rest));
    bare("client ID", pasted.id)
}

/// Asks for the secret of this client, without echo.
pub(in super::super) fn client_secret(
    question: &str,
    client_id: &str,
) -> Result<Zeroizing<String>, Exit> {
    let next = |_: &[Vec<Line>]| Next::Enough {
        shown: String::new(),
    };
    let Answers { lines, rest } = ask(question, Typing::Hidden, &next)?;
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
) -> Next {
    let answers = texts(answers);
    let before = answers.len().saturating_sub(1);
    let had_id = Read::of(answers.get(..before).unwrap_or_default(), stored).has_id();
    let Read { pasted, lack } = Read::of(&answers, stored);
    let id = pasted.id.as_ref().map_or("", |id| id.inner.as_str());
    let is_blank_again = answers
        .last()
        .is_some_and(|lines| lines.iter().all(|line| is_blank(line)));
    let shown = match (had_id, pasted.halves.is_some()) {
        (true, _) if is_blank_again && lack != Lack::Nothing => "\n".to_owned(),
        (false, false) => format!("{}\n", printable(id)),
        // In a line with a gap, a part may be the secret.
        _ => String::new(),
    };
    let asked = || printable(&secret_question(id)).into_owned();
    match lack {
        Lack::Id => Next::Ask {
            shown,
            question: printable(id_question).into_owned(),
        },
        Lack::Secret => Next::Ask {
            shown,
            question: asked(),
        },
        // The question that was skipped is shown, since it says where the secret goes.
        Lack::Nothing if answers.len() == 1 && pasted.secret.is_some() => Next::Enough {
            shown: format!("{shown}{}: it was pasted with the ID", asked()),
        },
        Lack::Nothing => {
            let shown = shown.trim_end().to_owned();
            Next::Enough { shown }
        }
    }
}

// === impl Read ===

impl Read {
    /// Reads the lines of each answer.
    fn of(answers: &[Vec<&str>], stored: Option<&str>) -> Self {
        let is_blank = |lines: &Vec<&str>| lines.iter().all(|line| is_blank(line));
        let (Some(first), Some(last)) = (answers.first(), answers.last()) else {
            return Self {
                pasted: Pasted::default(),
                lack: Lack::Id,
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
                true => Lack::Secret,
                false => Lack::Nothing,
            };
            return Self { pasted, lack };
        }
        let pasted = pasted::pair(&answers.concat());
        let lack = match (&pasted.id, &pasted.secret) {
            // The person keeps answering with blank lines.
            _ if answers.iter().rev().take_while(|it| is_blank(it)).count() >= MOST_BLANK => {
                Lack::Nothing
            }
            // Enter keeps the stored secret of this client.
            (Some(id), None) if is_blank(last) && stored == Some(id.inner.as_str()) => {
                Lack::Nothing
            }
            (Some(_), Some(_)) => Lack::Nothing,
            (Some(_), None) if pasted.halves.is_some() => Lack::Nothing,
            (Some(_), None) => Lack::Secret,
            (None, _) => Lack::Id,
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
    fn read(answers: &[&[&str]], stored: Option<&str>) -> (Lack, String, String) {
        let answers: Vec<_> = answers.iter().map(|lines| lines.to_vec()).collect();
        let Read { pasted, lack } = Read::of(&answers, stored);
        let shown =
            |value: Option<Value>| value.map_or("-".to_owned(), |value| value.inner.to_string());
        (lack, shown(pasted.id), shown(pasted.secret))
    }

    #[test]
    fn what_is_lacking_is_asked_for_and_enter_is_an_answer() {
        let found = |lack, id: &str, secret: &str| (lack, id.to_owned(), secret.to_owned());
        for (answers, stored, expected) in [
            (&[&["abc"][..]][..], None, found(Lack::Secret, "abc", "-")),
            (
                &[&["abc"], &["xyz"]],
                None,
                found(Lack::Nothing, "abc", "xyz"),
            ),
            (&[&["abc", "xyz"]], None, found(Lack::Nothing, "abc", "xyz")),
            (
                &[&["abc", "", "xyz"]],
                None,
                found(Lack::Nothing, "abc", "xyz"),
            ),
            (&[&["abc"], &[""]], None, found(Lack::Secret, "abc", "-")),
            (
                &[&["abc"], &[""], &["xyz"]],
                None,
                found(Lack::Nothing, "abc", "xyz"),
            ),
            (
                &[&["abc"], &[""], &[""], &[""]],
                None,
                found(Lack::Nothing, "abc", "-"),
            ),
            (&[&[""]], None, found(Lack::Id, "-", "-")),
            (
                &[&[""], &[" "], &[""]],
                None,
                found(Lack::Nothing, "-", "-"),
            ),
            (&[&["SECRET=xyz"]], None, found(Lack::Id, "-", "xyz")),
            (
                &[&["SECRET=xyz"], &["abc"]],
                None,
                found(Lack::Nothing, "abc", "xyz"),
            ),
            (&[&["Client ID"]], None, found(Lack::Id, "-", "-")),
            (
                &[&["Client ID"], &["abc"]],
                None,
                found(Lack::Secret, "abc", "-"),
            ),
            (&[&[""]], Some("old"), found(Lack::Secret, "", "-")),
            (&[&[""], &[""]], Some("old"), found(Lack::Nothing, "", "-")),
            (
                &[&[""], &["xyz"]],
                Some("old"),
                found(Lack::Nothing, "", "xyz"),
            ),
            (
                &[&[""], &["old", "xyz"]],
                Some("old"),
                found(Lack::Nothing, "", "xyz"),
            ),
            (
                &[&["abc"], &[""]],
                Some("old"),
                found(Lack::Secret, "abc", "-"),
            ),
            (
                &[&["old"], &[""]],
                Some("old"),
                found(Lack::Nothing, "old", "-"),
            ),
        ] {
            assert_eq!(read(answers, stored), expected, "{answers:?}");
        }
    }

    #[test]
    fn the_id_is_shown_and_the_secret_never() {
        let line = |text: &str| Zeroizing::new(text.as_bytes().to_vec());
        let shown = |answers: &[&[&str]]| {
            let answers: Vec<Vec<Line>> = answers
                .iter()
                .map(|lines| lines.iter().map(|text| line(text)).collect())
                .collect();
            match follows(&answers, None, "ID", &|id| format!("secret of {id}")) {
                Next::Ask { shown, question } => format!("{shown}|{question}"),
                Next::Enough { shown } => shown,
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
