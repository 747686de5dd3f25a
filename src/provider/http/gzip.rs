//! Decodes an answer in gzip that was not requested (RFC 1952), up to a maximum size and into memory that is wiped.
//!
//! The HTTP client's own decoder would advertise gzip to every issuer. It has no limit, and leaves parts of tokens in
//! the memory of buffers that it enlarges.

use std::io::{self, Read as _};

use flate2::bufread::GzDecoder;
use zeroize::Zeroizing;

use super::wiped::enlarge;

/// The first bytes of a gzip member with deflate; no JSON text begins with them. The `Content-Encoding` header does
/// not count: some gateways decode a body and leave the header, and some drop only the header.
const MAGIC: &[u8] = &[0x1f, 0x8b, 8];

/// The reason why a gzip body was not decoded.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum GzipError {
    /// The decoded body exceeds the maximum size.
    TooLarge,
    /// The body ends too early.
    Truncated,
    /// The body is not gzip, or its checksum is wrong.
    Broken,
    /// The body has data behind its first member.
    TrailingData,
}

/// Returns whether a body is in gzip, by its first bytes.
pub(super) fn is_gzip(body: &[u8]) -> bool {
    body.starts_with(MAGIC)
}

/// Decodes a body of one member to at most `max` bytes. Stops at that size, so that a gzip bomb costs no more than an
/// answer of that size.
pub(super) fn decoded(body: &[u8], max: usize) -> Result<Zeroizing<Vec<u8>>, GzipError> {
    // The allocator wipes the decoder's window when it is freed.
    let mut decoder = GzDecoder::new(body);
    let mut out = Zeroizing::new(vec![]);
    let mut len = 0;
    loop {
        if len == out.len() {
            // One byte above the maximum distinguishes a body that is too large from one that just fits.
            let room = len.saturating_mul(4).max(4 * body.len()).min(max + 1);
            enlarge(&mut out, room);
            out.resize(room, 0);
        }
        let read = match decoder.read(out.get_mut(len..).unwrap_or_default()) {
            Ok(read) => read,
            Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => {
                return Err(GzipError::Truncated);
            }
            Err(_) => return Err(GzipError::Broken),
        };
        if read == 0 {
            break;
        }
        len += read;
        if len > max {
            return Err(GzipError::TooLarge);
        }
    }
    if !decoder.into_inner().is_empty() {
        return Err(GzipError::TrailingData);
    }
    out.truncate(len);
    Ok(out)
}

/// Returns the beginning of a body that was not decoded completely: enough to recognize the kind of document.
pub(super) fn start(body: &[u8]) -> Zeroizing<Vec<u8>> {
    let mut out = Zeroizing::new(vec![0; 1_024]);
    let read = GzDecoder::new(body).read(&mut out).unwrap_or_default();
    out.truncate(read);
    out
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;

    use flate2::{Compression, GzBuilder, write::GzEncoder};

    use super::*;

    fn gzip(text: &[u8]) -> Vec<u8> {
        let mut encoder = GzEncoder::new(vec![], Compression::best());
        encoder.write_all(text).unwrap();
        encoder.finish().unwrap()
    }

    #[test]
    fn gzip_is_decoded_up_to_the_size_limit_and_refused_beyond() {
        const MAX: usize = 10_000;
        for len in [0, 1, 2, 100, 4_095, 9_999, 10_000] {
            for text in [
                vec![b'a'; len],
                (0..len).map(|n| (n * n % 251) as u8).collect(),
            ] {
                let out = decoded(&gzip(&text), MAX).unwrap();
                assert_eq!(*out, text);
            }
        }
        for len in [10_001, 20_000, 50_000_000] {
            let bomb = gzip(&vec![b'a'; len]);
            assert_eq!(decoded(&bomb, MAX), Err(GzipError::TooLarge), "{len}");
        }
    }

    #[test]
    fn a_gzip_header_with_all_optional_fields_is_parsed() {
        let builder = GzBuilder::new()
            .filename("token.json")
            .comment("x")
            .extra([1, 2, 3]);
        let mut encoder = builder.write(vec![], Compression::fast());
        encoder.write_all(b"{}").unwrap();
        let body = encoder.finish().unwrap();
        assert_eq!(**decoded(&body, 10).unwrap(), *b"{}");
    }

    #[test]
    fn only_one_complete_gzip_member_is_accepted() {
        let one = gzip(b"{\"access_token\":\"canary\"}");
        for end in 0..one.len() {
            let cut = decoded(&one[..end], 100).unwrap_err();
            assert_eq!(cut, GzipError::Truncated, "{end}");
        }
        let two = [one.clone(), one.clone()].concat();
        let padded = [one.clone(), vec![0]].concat();
        for more in [two, padded] {
            assert_eq!(decoded(&more, 100), Err(GzipError::TrailingData));
        }
        for at in [10, one.len() - 8, one.len() - 1] {
            let mut bent = one.clone();
            bent[at] ^= 0x40;
            assert!(decoded(&bent, 100).is_err(), "{at}");
        }
        for other in [
            &b"{}"[..],
            b"\x1f\x8b",
            b"\x78\x9c\x4b\x4c\x02\x00",
            b"\x28\xb5\x2f\xfd",
        ] {
            assert!(decoded(other, 100).is_err(), "{other:?}");
        }
    }

    #[test]
    fn gzip_is_recognized_by_its_first_bytes() {
        assert!(is_gzip(&gzip(b"")));
        for other in [
            &b""[..],
            b"{}",
            b"\x1f\x8b",
            b"\x1f\x8b\x07",
            b"<html>",
            b"\xef\xbb\xbf{}",
        ] {
            assert!(!is_gzip(other));
        }
    }
}
