//! Finds what an issuer repeats of a secret: whole or in part, as it was sent or in another spelling.
//!
//! A part of [`RUN`] characters counts, of any spelling of [`spellings`]. Upper and lower case are the same here, and so
//! are the two alphabets of base64. The text is searched as it is and with its escapes undone, so that a spelling may
//! be mixed or nested.

use std::fmt::Write as _;

use zeroize::{Zeroize as _, Zeroizing};

use super::spellings::{Spelling, spellings};
use super::views::{View, views};

/// The shortest part of a secret's spelling that is taken out, in characters. A shorter spelling is taken out whole.
pub(super) const RUN: usize = 8;

/// A spelling other than the secret itself that is shorter than this is found in ordinary words.
const SHORTEST: usize = 4;

/// The longest text that is searched, in bytes. A quotation is shorter; what is longer shrinks only by what is taken out.
const MAX_TEXT: usize = 4_096;

/// A text that must not be repeated, and what stands in its place.
#[derive(Clone, Copy)]
pub(super) struct Hidden<'a> {
    /// The text.
    pub(super) text: &'a str,
    /// The client ID that was joined with it in a header, if it was.
    pub(super) client_id: Option<&'a str>,
    /// What a person reads instead.
    pub(super) label: &'static str,
    /// Whether a text of fewer than [`RUN`] characters is looked for as well.
    pub(super) even_short: bool,
}

/// The text without what repeats one of the hidden texts, and without what is longer than [`MAX_TEXT`].
pub(super) fn without(text: &str, hidden: &[Hidden<'_>]) -> Zeroizing<String> {
    let text = text.get(..text.floor_char_boundary(MAX_TEXT)).unwrap_or("");
    let mut search = Search::new(text);
    for hidden in hidden {
        for spelling in spellings(hidden.text, hidden.client_id) {
            search.look_for(&spelling, *hidden);
        }
    }
    search.result()
}

/// One text that is searched.
struct Search<'t> {
    text: &'t str,
    views: Vec<View>,
    /// Every run of [`RUN`] characters in the views with the view and the place where it begins, in order.
    runs: Vec<(u64, usize, usize)>,
    /// A bit for each run, by its hash: most runs of a spelling are not in the text, and this says so quickly.
    seen: Vec<u64>,
    /// For each byte of the text what stands in its place, if it is taken out.
    marks: Vec<Option<&'static str>>,
}

// === impl Search ===

impl<'t> Search<'t> {
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

    fn look_for(&mut self, spelling: &Spelling, hidden: Hidden<'_>) {
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
                // The characters beside it depend on its first and last bits, or on what it was joined with.
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

    /// Where the text escapes single characters, fewer than [`RUN`] of them may be written with as many characters.
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

    /// The text with its marked parts replaced.
    fn result(&self) -> Zeroizing<String> {
        // Room for the longest outcome, so that no growth leaves a copy behind.
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

impl Drop for Search<'_> {
    fn drop(&mut self) {
        self.runs.iter_mut().for_each(|(run, ..)| run.zeroize());
    }
}

fn mark(marks: &mut [Option<&'static str>], (from, to): (usize, usize), label: &'static str) {
    for mark in marks.get_mut(from..to).unwrap_or_default() {
        mark.get_or_insert(label);
    }
}

/// The run that ends with this byte, after the run that ended before it.
const fn push(run: u64, b: u8) -> u64 {
    (run << 8) | b as u64
}

/// The bit of a run: the number of its word, and the bit in it.
const fn place(run: u64) -> (usize, u64) {
    let hash = run.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 48;
    ((hash >> 6) as usize, 1 << (hash & 63))
}

#[cfg(test)]
mod tests;
