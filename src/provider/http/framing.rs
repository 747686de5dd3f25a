//! Checks that an answer states clearly where it ends.

use hyper::header::{self, HeaderMap};

/// Checks `Transfer-Encoding` and `Content-Length`. The HTTP client decodes the one coding `chunked`, and refuses a
/// wrong length only where it needs one. It would read any other answer to the connection's end (RFC 9112 section
/// 6.3), as if it were complete.
///
/// # Errors
/// The name of the header with the wrong value.
pub(super) fn check(headers: &HeaderMap) -> Result<(), &'static str> {
    let all = |name, is_good: fn(&str) -> bool| {
        let mut values = headers.get_all(name).iter();
        // A list without an element is invalid too.
        values.all(|value| {
            value
                .to_str()
                .is_ok_and(|list| list.split(',').map(str::trim).all(is_good))
        })
    };
    // If a server and its framework both name the coding, it is still applied only once.
    if !all(header::TRANSFER_ENCODING, |coding| {
        coding.eq_ignore_ascii_case("chunked")
    }) {
        return Err("Transfer-Encoding");
    }
    let is_length = |length: &str| !length.is_empty() && length.bytes().all(|b| b.is_ascii_digit());
    if !all(header::CONTENT_LENGTH, is_length) {
        return Err("Content-Length");
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use hyper::header::HeaderValue;

    use super::*;

    #[test]
    fn only_a_valid_content_length_or_chunked_coding_is_accepted() {
        for (fields, wrong) in [
            (&[][..], None),
            (&[("content-length", "12")], None),
            (&[("content-length", "12, 12")], None),
            (&[("transfer-encoding", "chunked")], None),
            (&[("transfer-encoding", "Chunked ")], None),
            (
                &[
                    ("transfer-encoding", "chunked"),
                    ("transfer-encoding", "chunked"),
                ],
                None,
            ),
            (
                &[("transfer-encoding", "chunked"), ("content-length", "12")],
                None,
            ),
            (&[("content-length", "")], Some("Content-Length")),
            (&[("content-length", "+12")], Some("Content-Length")),
            (&[("content-length", "12,")], Some("Content-Length")),
            (&[("content-length", "0x12")], Some("Content-Length")),
            (
                &[("transfer-encoding", "chunked"), ("content-length", "-1")],
                Some("Content-Length"),
            ),
            (&[("transfer-encoding", "")], Some("Transfer-Encoding")),
            (
                &[("transfer-encoding", "identity")],
                Some("Transfer-Encoding"),
            ),
            (
                &[("transfer-encoding", "gzip, chunked")],
                Some("Transfer-Encoding"),
            ),
            (
                &[("transfer-encoding", "xchunked")],
                Some("Transfer-Encoding"),
            ),
            (
                &[
                    ("transfer-encoding", "chunked"),
                    ("transfer-encoding", "gzip"),
                ],
                Some("Transfer-Encoding"),
            ),
            (
                &[("transfer-encoding", "chunk\u{e9}d")],
                Some("Transfer-Encoding"),
            ),
        ] {
            let mut headers = HeaderMap::new();
            for (name, value) in fields {
                let value = HeaderValue::from_bytes(value.as_bytes()).unwrap();
                headers.append(*name, value);
            }
            assert_eq!(check(&headers).err(), wrong, "{fields:?}");
        }
    }
}
