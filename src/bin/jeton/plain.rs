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
            // A byte that continues no character begins the next one.
            if !matches!(byte, 0x80..=0xBF) {
                self.take(&mut line);
            }
            if let Some(slot) = self.begun.get_mut(self.used) {
                *slot = byte;
                self.used += 1;
            }
            if self.used == self.length() {
                self.take(&mut line);
            }
        }
        if end {
            self.take(&mut line);
        }
        line.flush();
    }

    /// The length of the character that the first byte begins; 1 if it begins none.
    fn length(&self) -> usize {
        match self.begun {
            [0xC2..=0xDF, ..] => 2,
            [0xE0..=0xEF, ..] => 3,
            [0xF0..=0xF4, ..] => 4,
            _ => 1,
        }
    }

    /// Moves what there is to the line, where what is no character is escaped.
    #[inline(never)]
    fn take(&mut self, line: &mut Line) {
        match self.begun.get(..self.used).unwrap_or_default() {
            plain @ (b"\n" | b"\t") => line.push(plain),
            other => line.push_escaped(other),
        }
        self.used = 0;
    }
}
