//! Finds the parts of a text that repeat a secret: whole or in part, as it was sent or in another spelling.
//!
//! [`RUN`] characters in a row count as a repetition, in any spelling of [`spellings`]. Upper and lower case are equal
//! here, and so are the two alphabets of base64. The text is searched both unchanged and with its escapes undone, so
//! that spellings may be mixed or nested.

use std::fmt::Write as _;

use zeroize::{Zeroize as _, Zeroizing};

use super::spellings::{Spelling, spellings};
use super::views::{TextView, views};

/// The shortest part of a secret's spelling that is removed, in characters. A shorter spelling is removed only as a
/// whole.
pub(super) const RUN: usize = 8;

/// The shortest spelling that is searched for, except for the secret itself. A shorter one would match ordinary words.
const SHORTEST: usize = 4;

/// The longest text that is searched, in bytes. A longer text is cut; quotations are shorter anyway.
const MAX_TEXT: usize = 4_096;

/// A text that must not be repeated, and its replacement.
#[derive(Clone, Copy)]
pub(super) struct RedactedText<'a> {
    /// The secret text.
    pub(super) text: &'a str,
    /// The client ID that was joined with it in a header, if it was.
    pub(super) client_id: Option<&'a str>,
    /// The replacement that a person reads.
    pub(super) label: &'static str,
    /// Whether to search for a text of fewer than [`RUN`] characters as well.
    pub(super) even_short: bool,
}

/// Removes everything from the text that repeats one of the hidden texts, and everything beyond [`MAX_TEXT`].
pub(super) fn without(text: &str, hidden: &[RedactedText<'_>]) -> Zeroizing<String> {
    let text = text.get(..text.floor_char_boundary(MAX_TEXT)).unwrap_or("");
    let mut search = EchoSearch::new(text);
    for hidden in hidden {
        for spelling in spellings(hidden.text, hidden.client_id) {
            search.look_for(&spelling, *hidden);
        }
    }
    search.result()
}

/// A search in one text.
struct EchoSearch<'t> {
    text: &'t str,
    views: Vec<TextView>,
    /// Every run of [`RUN`] characters in the views, with its view and its start, sorted.
    runs: Vec<(u64, usize, usize)>,
    /// A bit for each run, by its hash. Most runs of a spelling are not in the text, and this check rules them out
    /// quickly.
    seen: Vec<u64>,
    /// For each byte of the text its replacement, if it is removed.
    marks: Vec<Option<&'static str>>,
}

// === impl Search ===

impl<'t> EchoSearch<'t> {
    fn new(text: &'t str) -> Self {
        let views = views(text);
        let mut runs = vec![];
        let mut seen = vec![0; 1 << 10];
        for (number, view) in views.iter().enumerate() {
            for (at, run) in view.bytes.windows(RUN).enumerate() {
                let run = run.iter().fold(0, |run, b| push(run, *b));
                runs.push((run, number, at));
                let (word, bit) = place(run);
                if let Some(word) = seen.get_mut(word) {
                    *word |= bit;
                }
            }
        }
        runs.sort_unstable();
        Self {
            text,
            views,
            runs,
            seen,
            marks: vec![None; text.len()],
        }
    }

    fn look_for(&mut self, spelling: &Spelling, hidden: RedactedText<'_>) {
        if spelling.bytes.len() < RUN {
            let is_long_enough = spelling.is_plain || spelling.bytes.len() >= SHORTEST;
            if hidden.even_short && is_long_enough {
                self.look_for_whole(&spelling.bytes, hidden.label);
            }
            return;
        }
        let mut run = 0;
        for (at, b) in spelling.bytes.iter().enumerate() {
            run = push(run, *b);
            if at + 1 >= RUN {
                self.mark_run(run, hidden.label, spelling.is_opaque);
            }
        }
        if spelling.is_plain {
            self.look_for_escaped(&spelling.bytes, hidden.label);
        }
    }

    fn look_for_whole(&mut self, needle: &[u8], label: &'static str) {
        for view in &self.views {
            for (at, window) in view.bytes.windows(needle.len().max(1)).enumerate() {
                if window == needle {
                    mark(&mut self.marks, view.source(at, needle.len()), label);
                }
            }
        }
    }

    fn mark_run(&mut self, run: u64, label: &'static str, is_opaque: bool) {
        let (word, bit) = place(run);
        if self.seen.get(word).is_none_or(|word| word & bit == 0) {
            return;
        }
        let first = self.runs.partition_point(|(other, ..)| *other < run);
        let found = self.runs.iter().skip(first);
        for (_, view, at) in found.take_while(|(other, ..)| *other == run) {
            let Some(view) = self.views.get(*view) else {
                continue;
            };
            let (mut from, mut to) = view.source(*at, RUN);
            if is_opaque {
                // The adjacent characters depend on the secret's first and last bits, or on the text that it was joined
                // with.
                let is_of_word = |b: &&u8| b.is_ascii_alphanumeric() || b"+/=_-".contains(*b);
                let bytes = self.text.as_bytes();
                let before = bytes.get(..from).unwrap_or_default();
                let after = bytes.get(to..).unwrap_or_default();
                from -= before.iter().rev().take_while(is_of_word).count();
                to += after.iter().take_while(is_of_word).count();
            }
            mark(&mut self.marks, (from, to), label);
        }
    }

    /// Finds escaped characters: if the text escapes single characters, fewer than [`RUN`] of them may take as many
    /// characters of text.
    fn look_for_escaped(&mut self, secret: &[u8], label: &'static str) {
        for view in self.views.iter().filter(|view| !view.is_dense) {
            for at in view.escapes() {
                for from in at.saturating_sub(RUN)..=at {
                    let is_run = |len: &usize| {
                        let (start, end) = view.source(from, *len);
                        end >= start + RUN
                    };
                    let Some(len) = (2..RUN).find(is_run) else {
                        continue;
                    };
                    let Some(part) = view.bytes.get(from..from + len) else {
                        continue;
                    };
                    if secret.windows(len).any(|window| window == part) {
                        mark(&mut self.marks, view.source(from, len), label);
                    }
                }
            }
        }
    }

    /// Returns the text with its marked parts replaced.
    fn result(&self) -> Zeroizing<String> {
        // Enough room for the longest result, so that no growth leaves a copy behind.
        let mut out = Zeroizing::new(String::with_capacity(self.text.len() * 10));
        let mut last = None;
        for (at, c) in self.text.char_indices() {
            let label = self.marks.get(at).copied().flatten();
            // Writing to a string cannot fail.
            let _ = match label {
                None => write!(out, "{c}"),
                Some(label) if last != Some(label) => write!(out, "[{label}]"),
                Some(_) => Ok(()),
            };
            last = label;
        }
        out
    }
}

impl Drop for EchoSearch<'_> {
    fn drop(&mut self) {
        self.runs.iter_mut().for_each(|(run, ..)| run.zeroize());
    }
}

fn mark(marks: &mut [Option<&'static str>], (from, to): (usize, usize), label: &'static str) {
    for mark in marks.get_mut(from..to).unwrap_or_default() {
        mark.get_or_insert(label);
    }
}

/// Appends a byte to a run, and drops its first byte.
const fn push(run: u64, b: u8) -> u64 {
    (run << 8) | b as u64
}

/// Returns the bit of a run: the index of the word, and the bit in it.
const fn place(run: u64) -> (usize, u64) {
    let hash = run.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 48;
    ((hash >> 6) as usize, 1 << (hash & 63))
}

#[cfg(test)]
mod tests;
