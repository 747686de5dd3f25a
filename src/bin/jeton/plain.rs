//! Text of the daemon without control characters: a terminal would obey them, and a program that reads a header line by
//! line would take a second line for another header.

use crate::output::Line;

/// The text without its final newline, if the rest is printable ASCII.
pub(crate) fn one_line(text: &[u8]) -> Option<&[u8]> {
    let line = text.strip_suffix(b"\n").unwrap_or(text);
    let is_plain = line.iter().all(|byte| matches!(byte, b' '..=b'~'));
    is_plain.then_some(line)
}

/// Text for standard error. Escapes control characters but newline and tab, and what is no UTF-8, as `\x1b`, wherever the
/// stream splits it.
pub(crate) struct Errors {
    /// A character of which more is to come.
    begun: [u8; 4],
    used: usize,
}

impl Errors {
    pub(crate) const fn new() -> Self {
        Self {
            begun: [0; _],
            used: 0,
        }
    }

    /// Prints the bytes, with `end` to the last one.
    pub(crate) fn print(&mut self, bytes: &[u8], end: bool) {
        let mut line = Line::new();
        for &byte in bytes {
            if let Some(slot) = self.begun.get_mut(self.used) {
                *slot = byte;
                self.used += 1;
            }
            self.take_complete(&mut line);
        }
        if end {
            line.push_escaped(self.begun.get(..self.used).unwrap_or_default());
            self.used = 0;
        }
        line.flush();
    }

    /// Moves what is complete to the line.
    fn take_complete(&mut self, line: &mut Line) {
        let begun = self.begun.get(..self.used).unwrap_or_default();
        match core::str::from_utf8(begun) {
            Ok("\n" | "\t") => line.push(begun),
            // The first bytes of a character.
            Err(error) if error.error_len().is_none() => return,
            // The byte that breaks a character off may begin the next one.
            Err(_) if self.used > 1 => {
                let (broken, last) = begun.split_at(self.used - 1);
                line.push_escaped(broken);
                let last = last.first().copied().unwrap_or_default();
                self.begun = [last, 0, 0, 0];
                self.used = 1;
                return self.take_complete(line);
            }
            _ => line.push_escaped(begun),
        }
        self.used = 0;
    }
}
