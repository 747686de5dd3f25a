//! Replaces bytes of a body that are not UTF-8. Old servers and servlets write names and descriptions in ISO 8859-1 or
//! a code page.

/// DEL, which replaces each such byte. JSON texts may contain it, and tokens may not.
const MARK: u8 = 0x7f;

/// Replaces each byte that is not UTF-8, so that the rest can be parsed. It works in place: a copy would leave a token
/// behind in memory.
pub(super) fn mark(body: &mut [u8]) {
    let mut rest = body;
    while let Err(error) = std::str::from_utf8(rest) {
        let bad = error.error_len().unwrap_or(rest.len());
        let (_, behind) = rest.split_at_mut(error.valid_up_to());
        let (bad, behind) = behind.split_at_mut(bad.min(behind.len()));
        bad.fill(MARK);
        rest = behind;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn invalid_utf_8_bytes_are_marked_and_the_rest_is_kept() {
        for (body, marked) in [
            (&b""[..], &b""[..]),
            ("{\"é\":\"€\"}".as_bytes(), "{\"é\":\"€\"}".as_bytes()),
            (b"{\"a\":\"refus\xe9e\"}", b"{\"a\":\"refus\x7fe\"}"),
            (b"\xe9\xe8", b"\x7f\x7f"),
            (b"a\xe2\x82", b"a\x7f\x7f"),
            (b"\xe2\x82\"", b"\x7f\x7f\""),
            (b"\xff\xfe{\x00", b"\x7f\x7f{\x00"),
        ] {
            let mut body = body.to_vec();
            mark(&mut body);
            assert_eq!(body, marked);
        }
    }
}
