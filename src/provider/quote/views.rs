//! Views of a text: unchanged and with its escapes undone, each character with its position in the text.

use zeroize::Zeroizing;

/// How many nested escapes are undone.
const DEPTH: usize = 2;

/// One view of a text. [`folded`] has been applied to its characters.
pub(super) struct TextView {
    /// The characters.
    pub(super) bytes: Zeroizing<Vec<u8>>,
    /// The start and the end of each character in the text, in bytes.
    places: Vec<(usize, usize)>,
    /// Whether blanks between the characters are left out.
    pub(super) is_dense: bool,
}

/// Returns the text unchanged, with its escapes undone once and twice, and finally without blanks and control
/// characters. Some programs put these between pairs of digits or at the line ends of base64.
pub(super) fn views(text: &str) -> Vec<TextView> {
    let mut views = vec![TextView {
        bytes: Zeroizing::new(text.bytes().collect()),
        places: (0..text.len()).map(|at| (at, at + 1)).collect(),
        is_dense: false,
    }];
    for _ in 0..DEPTH {
        let undone = views.last().and_then(TextView::without_escapes);
        views.extend(undone);
    }
    let dense = views.last().and_then(TextView::without_blanks);
    views.extend(dense);
    for view in &mut views {
        for b in view.bytes.iter_mut() {
            *b = folded(*b);
        }
    }
    views
}

/// Maps characters that count as equal to one character.
pub(super) const fn folded(b: u8) -> u8 {
    match b {
        b'-' => b'+',
        b'_' => b'/',
        b => b.to_ascii_lowercase(),
    }
}

// === impl View ===

impl TextView {
    /// Returns the start and the end in the text of `len` characters from `at` on; an empty range if there are fewer.
    pub(super) fn source(&self, at: usize, len: usize) -> (usize, usize) {
        let last = (at + len)
            .checked_sub(1)
            .and_then(|last| self.places.get(last));
        match (self.places.get(at), last) {
            (Some((from, _)), Some((_, to))) => (*from, *to),
            _ => (0, 0),
        }
    }

    /// Returns the positions of the characters that the text writes with more than one.
    pub(super) fn escapes(&self) -> impl Iterator<Item = usize> {
        let places = self.places.iter().enumerate();
        places.filter_map(|(at, (from, to))| (to - from > 1).then_some(at))
    }

    /// Undoes percent-encoding and the escapes of JSON and C; `None` if there are none.
    fn without_escapes(&self) -> Option<Self> {
        let mut out = Self::with_room(self.bytes.len());
        let mut at = 0;
        let mut is_changed = false;
        while let Some(b) = self.bytes.get(at) {
            let rest = self.bytes.get(at..).unwrap_or_default();
            let (b, len) = escape(rest).unwrap_or((*b, 1));
            out.bytes.push(b);
            out.places.push(self.source(at, len));
            is_changed |= len > 1;
            at += len;
        }
        is_changed.then_some(out)
    }

    fn without_blanks(&self) -> Option<Self> {
        let mut out = Self {
            is_dense: true,
            ..Self::with_room(self.bytes.len())
        };
        for (b, place) in self.bytes.iter().zip(&self.places) {
            if !b.is_ascii_whitespace() && !b.is_ascii_control() {
                out.bytes.push(*b);
                out.places.push(*place);
            }
        }
        (out.bytes.len() < self.bytes.len()).then_some(out)
    }

    fn with_room(len: usize) -> Self {
        Self {
            bytes: Zeroizing::new(Vec::with_capacity(len)),
            places: Vec::with_capacity(len),
            is_dense: false,
        }
    }
}

/// Decodes an escape at the beginning, and returns its character and its length. Several backslashes count as one: each
/// nesting of JSON doubles them.
fn escape(text: &[u8]) -> Option<(u8, usize)> {
    let hex = |from: usize, len: usize| {
        let digits = std::str::from_utf8(text.get(from..from + len)?).ok()?;
        let is_hex = digits.bytes().all(|b| b.is_ascii_hexdigit());
        let number = u32::from_str_radix(digits, 16).ok().filter(|_| is_hex)?;
        u8::try_from(number).ok().filter(u8::is_ascii)
    };
    if text.first() == Some(&b'%') {
        return Some((hex(1, 2)?, 3));
    }
    let slashes = text.iter().take_while(|b| **b == b'\\').count();
    match text.get(slashes)? {
        _ if slashes == 0 => None,
        b'u' => Some((hex(slashes + 1, 4)?, slashes + 5)),
        b'x' => Some((hex(slashes + 1, 2)?, slashes + 3)),
        b @ (b'"' | b'/' | b'\'') => Some((*b, slashes + 1)),
        _ if slashes > 1 => Some((b'\\', slashes)),
        _ => None,
    }
}
