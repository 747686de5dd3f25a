//! Keeps only those words of an issuer's text that cannot carry a secret.
//!
//! A secret may come back in more spellings than a list can have. So the filter works the other way round and lists
//! what is kept: known words, short numbers between them, dates and times, error codes, random UUIDs, and addresses of
//! such parts. All the rest is [`HIDDEN`].

use super::address::{HIDDEN, address};
use super::known::{self, KnownWords};
use super::shapes;

/// The signs that may stand before and after a word.
const EDGES: (&[u8], &[u8]) = (b"\"'([{<", b"\"')]}>.,;:!?");

/// The labels of a secret or a token that was found.
const LABELS: [&str; 2] = ["[secret]", "[token]"];

/// The most numbers in a message. More could be a list of bytes.
const MAX_NUMBERS: usize = 4;

/// The most short words in a row that are hidden between hidden parts: they may be parts of a secret that happen to be
/// words.
const FEW: usize = 2;

/// The longest short word, in characters.
const SHORT: usize = 4;

/// One part of a text, between blanks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Part {
    /// A part that is kept. `len` is its length in characters without the signs around it.
    Kept { text: String, len: usize },
    /// A number, which is kept unless it stands beside a hidden part or another number.
    Number(String),
    /// A hidden part, with the quotation marks and brackets around it.
    Hidden(String),
}

/// Replaces everything that could carry a secret by [`HIDDEN`].
pub(super) fn readable(text: &str, known: &KnownWords) -> String {
    let blank = |c: char| c.is_whitespace() || c.is_control();
    let parts = text.split(blank).filter(|part| !part.is_empty());
    let mut parts: Vec<Part> = parts.map(|part| judge(part, known)).collect();
    hide_numbers(&mut parts);
    hide_short_words(&mut parts);
    let mut out = String::new();
    let mut ends_hidden = false;
    for part in &parts {
        let (text, is_hidden) = match part {
            Part::Kept { text, .. } | Part::Number(text) => (text, false),
            Part::Hidden(text) => (text, true),
        };
        // One mark replaces several parts.
        let rest = text.strip_prefix(HIDDEN).filter(|_| ends_hidden);
        match rest {
            Some(rest) => out.push_str(rest),
            None => {
                if !out.is_empty() {
                    out.push(' ');
                }
                out.push_str(text);
            }
        }
        ends_hidden = is_hidden && out.ends_with(HIDDEN);
    }
    out
}

fn judge(part: &str, known: &KnownWords) -> Part {
    let label = LABELS
        .iter()
        .filter_map(|label| Some((part.find(label)?, *label)));
    if let Some((_, label)) = label.min()
        && let Some((before, after)) = part.split_once(label)
    {
        let side = |text: &str| match text {
            "" => String::new(),
            text => match judge(text, known) {
                Part::Kept { text, .. } | Part::Number(text) | Part::Hidden(text) => text,
            },
        };
        return Part::Kept {
            text: format!("{}{label}{}", side(before), side(after)),
            len: part.len(),
        };
    }
    let (before, core, behind) = edges(part);
    let around = |text: &str| format!("{before}{text}{behind}");
    let kept = |text: &str| Part::Kept {
        text: around(text),
        len: core.len(),
    };
    if core.is_empty() {
        return if part.len() <= 2 {
            kept("")
        } else {
            Part::Hidden(HIDDEN.to_owned())
        };
    }
    if shapes::is_number(core) {
        return Part::Number(around(core));
    }
    if shapes::is_moment(core) || shapes::is_uuid(core) || shapes::is_code(core) {
        return kept(core);
    }
    if let Some(address) = address(core, known) {
        return kept(&address);
    }
    let pairs: Vec<_> = core.split('&').map(|pair| of_pair(pair, known)).collect();
    let text = pairs.join("&");
    if text == core {
        if has_number(core) {
            Part::Number(around(core))
        } else {
            kept(core)
        }
    } else if pairs.iter().all(|pair| pair == HIDDEN) {
        Part::Hidden(around(HIDDEN))
    } else {
        Part::Hidden(around(&text))
    }
}

/// Reports whether a word of a name is a number. The number of a version does not count, nor do digits inside a word.
fn has_number(name: &str) -> bool {
    let is_number = |word: &str| word.bytes().all(|b| b.is_ascii_digit()) && !word.is_empty();
    let name = known::without_version(name);
    name.split(|c: char| !c.is_ascii_alphanumeric())
        .any(is_number)
}

/// Handles `key=value` or `key:value`, and hides the value if it is not readable.
fn of_pair(pair: &str, known: &KnownWords) -> String {
    if known.has(pair) {
        return pair.to_owned();
    }
    let Some((key, value)) = pair.split_once(['=', ':']) else {
        return HIDDEN.to_owned();
    };
    if key.len() < 2 || !known.has(key) {
        return HIDDEN.to_owned();
    }
    let (before, core, behind) = edges(value);
    let is_kept = known.has(core)
        || [
            shapes::is_number,
            shapes::is_moment,
            shapes::is_uuid,
            shapes::is_code,
        ]
        .iter()
        .any(|is| is(core));
    if is_kept {
        return pair.to_owned();
    }
    let sign = if pair.starts_with(&format!("{key}=")) {
        '='
    } else {
        ':'
    };
    match address(core, known) {
        Some(address) => format!("{key}{sign}{before}{address}{behind}"),
        None => format!("{key}{sign}{HIDDEN}"),
    }
}

/// Splits off the quotation marks, brackets and punctuation around a word, at most two characters on each side.
fn edges(part: &str) -> (&str, &str, &str) {
    let (open, close) = EDGES;
    let from = part
        .bytes()
        .take(2)
        .take_while(|b| open.contains(b))
        .count();
    // Each of them is one byte long.
    let (before, rest) = part.split_at(from);
    let closing = rest.bytes().rev().take(2);
    let to = rest.len() - closing.take_while(|b| close.contains(b)).count();
    let (core, behind) = rest.split_at(to);
    (before, core, behind)
}

/// Hides numbers beside other numbers and beside hidden parts; hides all numbers if there are many.
fn hide_numbers(parts: &mut [Part]) {
    let is_number = |part: &Part| matches!(part, Part::Number(_));
    let are_many = parts.iter().filter(|part| is_number(part)).count() > MAX_NUMBERS;
    let before = parts.to_vec();
    let is_kept = |at: Option<usize>| {
        let part = at.and_then(|at| before.get(at));
        part.is_none_or(|part| matches!(part, Part::Kept { .. }))
    };
    for (at, part) in parts.iter_mut().enumerate() {
        let has_place = is_kept(at.checked_sub(1)) && is_kept(Some(at + 1));
        if is_number(part) && (are_many || !has_place) {
            *part = Part::Hidden(HIDDEN.to_owned());
        }
    }
}

/// Hides short words between hidden parts, if they are few.
fn hide_short_words(parts: &mut [Part]) {
    let is_hidden = |part: &Part| matches!(part, Part::Hidden(_));
    if !parts.iter().any(is_hidden) {
        return;
    }
    for run in parts.split_mut(is_hidden) {
        let is_short = |part: &Part| matches!(part, Part::Kept { len, .. } if *len <= SHORT);
        let is_letter = |part: &Part| matches!(part, Part::Kept { len: 0..=1, .. });
        let are_few = run.len() <= FEW && run.iter().all(is_short);
        if are_few || run.iter().all(is_letter) {
            run.fill(Part::Hidden(HIDDEN.to_owned()));
        }
    }
}

#[cfg(test)]
mod tests;
