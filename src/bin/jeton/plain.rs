//! Filters control characters from the daemon's text: a terminal would act on them, and a program that reads a header
//! line by line would interpret a second line as another header.

use crate::output::Line;

/// Returns the text without its final newline, if the rest is printable ASCII.
pub(crate) fn one_line(text: &[u8]) -> Option<&[u8]> {
    let line = text.strip_suffix(b"\n").unwrap_or(text);
    // A look at all bytes is several times faster than one that ends at the first bad one: it takes many at a time.
    let plain = |byte: &u8| matches!(byte, b' '..=b'~');
    let is_plain = line.iter().fold(true, |all, byte| all & plain(byte));
    is_plain.then_some(line)
}

/// A filter for standard error. It escapes control characters other than newline and tab, and invalid UTF-8, as `\x1b`
/// and so on, wherever the stream splits the text.
pub(crate) struct Errors {
    /// The first bytes of an incomplete character.
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

    /// Prints the bytes. `end` marks the last ones.
    pub(crate) fn print(&mut self, bytes: &[u8], end: bool) {
        let mut line = Line::new();
        for &byte in bytes {
            // A byte that does not continue a character begins the next one.
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

    /// Returns the length of the character that starts with the first byte; 1 if no character starts with it.
    fn length(&self) -> usize {
        match self.begun {
            [0xC2..=0xDF, ..] => 2,
            [0xE0..=0xEF, ..] => 3,
            [0xF0..=0xF4, ..] => 4,
            _ => 1,
        }
    }

    /// Appends the collected bytes to the line, and escapes them unless they are a printable character.
    #[inline(never)]
    fn take(&mut self, line: &mut Line) {
        match self.begun.get(..self.used).unwrap_or_default() {
            plain @ (b"\n" | b"\t") => line.push(plain),
            other => line.push_escaped(other),
        }
        self.used = 0;
    }
}
