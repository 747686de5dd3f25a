//! Finds the end of a request's head in bytes that arrive in arbitrary pieces.

use memchr::memchr;

/// Incremental search for the empty line that ends a head.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct HeadEnd {
    /// Whether a line has just ended. Carriage returns are ignored, because hyper accepts lines without them.
    is_after_line: bool,
}

impl HeadEnd {
    /// Searches the next bytes of a head. If the head ends in them, returns how many of them belong to it.
    pub(super) fn find(&mut self, bytes: &[u8]) -> Option<usize> {
        let (mut rest, mut start) = (bytes, 0);
        while let Some(length) = memchr(b'\n', rest) {
            let (line, behind) = rest.split_at(length);
            self.is_after_line &= is_empty(line);
            start += length + 1;
            if self.is_after_line {
                return Some(start);
            }
            self.is_after_line = true;
            rest = behind.get(1..).unwrap_or_default();
        }
        self.is_after_line &= is_empty(rest);
        None
    }
}

/// Whether a line consists of carriage returns only.
fn is_empty(line: &[u8]) -> bool {
    line.iter().all(|byte| *byte == b'\r')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_end_of_a_request_head_is_found_however_it_is_split() {
        for (text, end) in [
            ("GET / HTTP/1.1\r\nHost: x\r\n\r\n", Some(27)),
            ("GET / HTTP/1.1\r\nHost: x\r\n\r\nGET", Some(27)),
            ("GET / HTTP/1.0\n\n", Some(16)),
            ("GET / HTTP/1.0\r\n\n", Some(17)),
            ("GET / HTTP/1.1\r\nHost: x\r\n", None),
            ("GET / HTTP/1.1\r\nX: \r\n\r", None),
            ("", None),
        ] {
            let bytes = text.as_bytes();
            assert_eq!(HeadEnd::default().find(bytes), end, "{text:?}");
            for cut in 0..=bytes.len() {
                let (first, second) = bytes.split_at(cut);
                let mut search = HeadEnd::default();
                let found = search
                    .find(first)
                    .or_else(|| search.find(second).map(|n| n + cut));
                assert_eq!(found, end, "{text:?} {cut}");
            }
        }
    }
}
