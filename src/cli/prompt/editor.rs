//! A line editor for a terminal without echo. Reading it byte by byte, a paste is read to its end, with or without a
//! last line end.

use rustix::termios::{SpecialCodeIndex, Termios};
use zeroize::Zeroizing;

/// A line without its end.
pub(super) type Line = Zeroizing<Vec<u8>>;

/// The keys that edit a line; 0 for a missing one.
#[derive(Debug, Clone, Copy)]
pub(super) struct Keys {
    erase: [u8; 3],
    word_erase: u8,
    kill: u8,
    end: u8,
}

/// The result of a byte.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum KeyResult {
    /// The line continues.
    Nothing,
    /// A line has ended.
    Line(Line),
    /// The end of input.
    End,
    /// The line is longer than it may be.
    TooLong,
}

/// The line that is being typed.
pub(super) struct Editor {
    keys: Keys,
    most: usize,
    line: Line,
}

// === impl Keys ===

impl Keys {
    /// No keys, for lines that the terminal edits.
    pub(super) const NONE: Self = Self {
        erase: [0; 3],
        word_erase: 0,
        kill: 0,
        end: 0,
    };

    /// The keys of a terminal.
    pub(super) fn of(modes: &Termios) -> Self {
        let code = |index| modes.special_codes[index];
        Self {
            // Terminals send different bytes for this key.
            erase: [code(SpecialCodeIndex::VERASE), 0x08, 0x7f],
            word_erase: code(SpecialCodeIndex::VWERASE),
            kill: code(SpecialCodeIndex::VKILL),
            end: code(SpecialCodeIndex::VEOF),
        }
    }
}

// === impl Editor ===

impl Editor {
    /// Starts an empty line of at most this many bytes.
    pub(super) fn new(keys: Keys, most: usize) -> Self {
        // Allocated at the largest size, so that no growth leaves a copy behind.
        let line = Zeroizing::new(Vec::with_capacity(most + 1));
        Self { keys, most, line }
    }

    /// Handles a byte.
    pub(super) fn feed(&mut self, byte: u8) -> KeyResult {
        let keys = self.keys;
        let is = |key: u8| key != 0 && byte == key;
        if byte == b'\n' {
            return KeyResult::Line(self.take());
        }
        if is(keys.end) {
            // In the middle of a line the key has no effect here.
            return match self.line.is_empty() {
                true => KeyResult::End,
                false => KeyResult::Nothing,
            };
        }
        if is(keys.kill) {
            self.clear();
        } else if is(keys.word_erase) {
            self.erase_while(|byte| byte == b' ');
            self.erase_while(|byte| byte != b' ');
        } else if keys.erase.into_iter().any(is) {
            // A UTF-8 character is erased as a whole.
            self.erase_while(|byte| byte & 0xc0 == 0x80);
            self.line.pop();
        } else if self.line.len() == self.most {
            return KeyResult::TooLong;
        } else {
            self.line.push(byte);
        }
        KeyResult::Nothing
    }

    /// Returns the line that was typed so far, and starts an empty one.
    pub(super) fn take(&mut self) -> Line {
        let line = Zeroizing::new(Vec::with_capacity(self.most + 1));
        std::mem::replace(&mut self.line, line)
    }

    /// Whether a line has begun.
    pub(super) fn has_begun(&self) -> bool {
        !self.line.is_empty()
    }

    /// Discards the line.
    pub(super) fn clear(&mut self) {
        self.line.clear();
    }

    fn erase_while(&mut self, is_erased: impl Fn(u8) -> bool) {
        while self.line.last().is_some_and(|byte| is_erased(*byte)) {
            self.line.pop();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const KEYS: Keys = Keys {
        erase: [0x7f, 0x08, 0],
        word_erase: 0x17,
        kill: 0x15,
        end: 0x04,
    };

    fn typed(text: &[u8]) -> Vec<KeyResult> {
        let mut editor = Editor::new(KEYS, 8);
        let fed = text.iter().map(|byte| editor.feed(*byte));
        fed.filter(|fed| *fed != KeyResult::Nothing).collect()
    }

    #[test]
    fn the_line_editor_handles_its_editing_keys() {
        let line = |text: &str| KeyResult::Line(Zeroizing::new(text.as_bytes().to_vec()));
        for (text, lines) in [
            (&b"abc\n"[..], vec![line("abc")]),
            (b"abc\nxyz\n", vec![line("abc"), line("xyz")]),
            (b"abd\x7fc\n", vec![line("abc")]),
            (b"abd\x08c\n", vec![line("abc")]),
            ("ab\u{e9}\x7fc\n".as_bytes(), vec![line("abc")]),
            (b"\x7f\x7fa\n", vec![line("a")]),
            (b"wrong\x15abc\n", vec![line("abc")]),
            (b"a wro \x17b\n", vec![line("a b")]),
            (b"abc\x04\n", vec![line("abc")]),
            (b"\x04", vec![KeyResult::End]),
            (b"abc\n\x04", vec![line("abc"), KeyResult::End]),
            (b"12345678\n", vec![line("12345678")]),
            (b"123456789", vec![KeyResult::TooLong]),
        ] {
            assert_eq!(typed(text), lines, "{text:?}");
        }
    }
}
