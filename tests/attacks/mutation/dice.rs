//! Random choices that can be repeated with a seed.

use fastrand::Rng;

/// A source of random choices, made from the run's seed and the mutant's number. So each mutant can be generated alone.
pub(super) struct RandomChoices(Rng);

impl RandomChoices {
    pub(super) fn new(seed: u64, number: u64) -> Self {
        // Spreads the bits, because similar seeds would otherwise give similar numbers.
        let spread = (seed ^ number.wrapping_mul(0x9E37_79B9_7F4A_7C15)).rotate_left(17);
        Self(Rng::with_seed(spread))
    }

    /// Returns a number below `end`.
    pub(super) fn below(&mut self, end: usize) -> usize {
        self.0.usize(0..end.max(1))
    }

    /// Returns `true` once in this many times on average.
    pub(super) fn once_in(&mut self, times: usize) -> bool {
        self.below(times) == 0
    }

    pub(super) fn one<'a, T>(&mut self, of: &'a [T]) -> &'a T {
        &of[self.below(of.len())]
    }

    /// Returns this many bytes of any value.
    pub(super) fn bytes(&mut self, length: usize) -> Vec<u8> {
        let mut bytes = vec![0; length];
        self.0.fill(&mut bytes);
        bytes
    }

    /// Returns text of up to this many bytes, of kinds that parsers often get wrong.
    pub(super) fn nasty(&mut self, most: usize) -> Vec<u8> {
        const PIECES: [&[u8]; 24] = [
            b"a",
            b"0",
            b"\0",
            b"\r",
            b"\n",
            b"\r\n",
            b"\t",
            b" ",
            b"\x1b[31m",
            b"\x1b]52;c;QQ==\x07",
            b"\x7f",
            b"\xff\xfe",
            b"\xc0\x80",
            b"\xed\xa0\x80",
            "\u{202e}".as_bytes(),
            "\u{2028}".as_bytes(),
            "\u{85}".as_bytes(),
            b"%0a",
            b"%00",
            b"../",
            b"=",
            b"&",
            b"\"",
            b"{[",
        ];
        let length = self.below(most + 1);
        let mut text = vec![];
        while text.len() < length {
            text.extend_from_slice(self.one::<&[u8]>(&PIECES));
        }
        text
    }

    /// Changes bytes regardless of their meaning.
    pub(super) fn corrupt(&mut self, bytes: &mut Vec<u8>) {
        let at = self.below(bytes.len() + 1);
        let length = self.below(16).min(bytes.len() - at);
        match self.below(7) {
            0 => bytes.truncate(at),
            1 if at < bytes.len() => bytes[at] ^= 1 << self.below(8),
            2 if at < bytes.len() => {
                bytes[at] = *self.one(&[0, b'\r', b'\n', b' ', b':', 0x7f, 0x80, 0xff]);
            }
            3 => drop(bytes.drain(at..at + length)),
            4 => {
                let again = bytes[at..at + length].to_vec();
                bytes.splice(at..at, again);
            }
            5 => {
                let length = self.below(64);
                let random = self.bytes(length);
                bytes.splice(at..at, random);
            }
            _ => {
                let nasty = self.nasty(32);
                bytes.splice(at..at, nasty);
            }
        }
    }
}
