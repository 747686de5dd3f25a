//! Filters control characters from the daemon's text: a terminal would act on them, and a program that reads a header
//! line by line would interpret a second line as another header.

use crate::bytes::copy;
use crate::output::Line;

/// Returns the text without its final newline, if the rest is printable ASCII.
#[inline(never)]
pub(crate) fn one_line(text: &[u8]) -> Option<&[u8]> {
    let line = text.strip_suffix(b"\n").unwrap_or(text);
    // Eight bytes at a time, which is several times faster than one.
    let (words, rest) = line.as_chunks();
    let mut last = [b' '; 8];
    copy(&mut last, rest);
    let is_plain = words.iter().chain([&last]).all(|&word| is_printable(word));
    is_plain.then_some(line)
}

/// Reports whether all eight bytes are printable ASCII: 0x20 to 0x7e.
fn is_printable(word: [u8; 8]) -> bool {
    const ONES: u64 = u64::from_ne_bytes([1; 8]);
    const HIGHEST_BITS: u64 = 0x80 * ONES;
    let word = u64::from_ne_bytes(word);
    // A byte from 0x7f on has its highest bit, or gets it from one more; then no carry from a lower byte matters. Without
    // that bit, only a byte below 0x20 loses it again, so that no borrow leaves a byte.
    let is_high = word | word.wrapping_add(ONES);
    let is_control = !(word | HIGHEST_BITS).wrapping_sub(0x20 * ONES);
    (is_high | is_control) & HIGHEST_BITS == 0
}

/// A filter for standard error. It escapes control characters other than newline and tab, and invalid UTF-8, as `\x1b`
/// and so on, wherever the stream splits the text.
pub(crate) struct StderrFilter {
    /// The first bytes of an incomplete character.
    begun: [u8; 4],
    used: usize,
}

impl StderrFilter {
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
