//! What is sent with a secret in it: each is written once, into a buffer that is wiped when it is freed.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use url::form_urlencoded::byte_serialize;
use zeroize::Zeroizing;

use crate::credential::ClientSecret;

/// A value that is sent.
#[derive(Clone, Copy)]
pub(super) enum Sent<'a> {
    /// One that anybody may see.
    Open(&'a str),
    /// The secret.
    Secret(&'a ClientSecret),
}

/// A body that is wiped when it is freed.
pub(super) type SecretBody = Zeroizing<Vec<u8>>;

impl<'a> Sent<'a> {
    /// The text as it is.
    fn text(self) -> &'a str {
        match self {
            Self::Open(text) => text,
            Self::Secret(secret) => secret.expose(),
        }
    }
}

impl<'a> From<&'a str> for Sent<'a> {
    fn from(text: &'a str) -> Self {
        Self::Open(text)
    }
}

/// `application/x-www-form-urlencoded` (RFC 6749 appendix B), in the given order.
pub(super) fn form(fields: &[(&str, Sent<'_>)]) -> SecretBody {
    let mut out = buffer(fields, 3);
    for (name, value) in fields {
        if !out.is_empty() {
            out.push(b'&');
        }
        encode(&mut out, name);
        out.push(b'=');
        encode(&mut out, value.text());
    }
    out
}

/// A JSON object of strings, in the given order.
pub(super) fn json(fields: &[(&str, Sent<'_>)]) -> SecretBody {
    let mut out = buffer(fields, 6);
    out.push(b'{');
    for (name, value) in fields {
        if out.len() > 1 {
            out.push(b',');
        }
        string(&mut out, name);
        out.push(b':');
        string(&mut out, value.text());
    }
    out.push(b'}');
    out
}

/// `Basic …` (RFC 7617) as OAuth 2.0 has it: ID and secret are encoded as in a form before they are joined, so that a
/// colon in either is no separator (RFC 6749 section 2.3.1).
pub(super) fn basic(id: &str, secret: Sent<'_>) -> SecretBody {
    const SCHEME: &[u8] = b"Basic ";
    let mut pair = buffer(&[(id, secret)], 3);
    for (text, end) in [(id, ":"), (secret.text(), "")] {
        encode(&mut pair, text);
        pair.extend_from_slice(end.as_bytes());
    }
    // Four characters for three bytes, the last ones padded.
    let len = pair.len().div_ceil(3) * 4;
    let mut out = Zeroizing::new(Vec::with_capacity(SCHEME.len() + len));
    out.extend_from_slice(SCHEME);
    out.resize(SCHEME.len() + len, 0);
    let room = out.get_mut(SCHEME.len()..).unwrap_or_default();
    // The room is exactly what it takes.
    let _: Result<usize, _> = STANDARD.encode_slice(&*pair, room);
    out
}

fn encode(out: &mut SecretBody, text: &str) {
    for piece in byte_serialize(text.as_bytes()) {
        out.extend_from_slice(piece.as_bytes());
    }
}

/// Room for the longest encoding from the start: a buffer that grew would leave the secret in the one it outgrew.
fn buffer(fields: &[(&str, Sent<'_>)], widest: usize) -> SecretBody {
    let len = |(name, value): &(&str, Sent<'_>)| widest * (name.len() + value.text().len()) + 8;
    Zeroizing::new(Vec::with_capacity(
        fields.iter().map(len).sum::<usize>() + 2,
    ))
}

fn string(out: &mut SecretBody, text: &str) {
    const HEX: [u8; 16] = *b"0123456789abcdef";
    out.push(b'"');
    for b in text.bytes() {
        match b {
            b'"' | b'\\' => out.extend_from_slice(&[b'\\', b]),
            0..0x20 => {
                let digit = |n: u8| HEX.get(usize::from(n)).copied().unwrap_or(b'0');
                out.extend_from_slice(&[b'\\', b'u', b'0', b'0', digit(b >> 4), digit(b & 15)]);
            }
            _ => out.push(b),
        }
    }
    out.push(b'"');
}

#[cfg(test)]
mod tests {
    use super::*;

    const HARD: &str = "&=+% \"\\/~a\u{e9}\n";

    #[test]
    fn a_form_says_what_was_meant() {
        let body = form(&[
            ("client_id", "a-b.c_d".into()),
            ("client_secret", HARD.into()),
        ]);
        assert_eq!(
            std::str::from_utf8(&body).unwrap(),
            "client_id=a-b.c_d&client_secret=%26%3D%2B%25+%22%5C%2F%7Ea%C3%A9%0A"
        );
        let read: Vec<_> = url::form_urlencoded::parse(&body).collect();
        assert_eq!(read[1].1, HARD);
        assert_eq!(
            *form(&[("a&b", "c".into())]),
            *b"a%26b=c",
            "a name says only itself"
        );
    }

    #[test]
    fn a_basic_header_is_of_encoded_parts() {
        for (id, secret, pair) in [
            ("s6BhdRkqt3", "gX1fBat3bV", "s6BhdRkqt3:gX1fBat3bV"),
            ("a:b", "c:d", "a%3Ab:c%3Ad"),
            ("my id", HARD, "my+id:%26%3D%2B%25+%22%5C%2F%7Ea%C3%A9%0A"),
            ("a@b.c_d-*", "x", "a%40b.c_d-*:x"),
        ] {
            let header = basic(id, secret.into());
            let encoded = header.strip_prefix(b"Basic ").unwrap();
            assert_eq!(STANDARD.decode(encoded).unwrap(), pair.as_bytes());
            assert_eq!(header.len(), header.capacity(), "the buffer never grew");
        }
    }

    #[test]
    fn a_json_body_says_what_was_meant() {
        let body = json(&[("clientID", "x".into()), ("clientSecret", HARD.into())]);
        assert_eq!(
            std::str::from_utf8(&body).unwrap(),
            "{\"clientID\":\"x\",\"clientSecret\":\"&=+% \\\"\\\\/~a\u{e9}\\u000a\"}"
        );
        let read: std::collections::BTreeMap<String, String> =
            serde_json::from_slice(&body).unwrap();
        assert_eq!(read["clientSecret"], HARD);
    }

    #[test]
    fn a_body_never_outgrows_its_first_buffer() {
        for worst in [
            "\u{1}".repeat(1_024),
            "%".repeat(1_024),
            "\u{e9}".repeat(512),
        ] {
            for (write, widest) in [
                (form as fn(&[(&str, Sent<'_>)]) -> SecretBody, 3),
                (json, 6),
            ] {
                let fields = [("a", "b".into()), ("c", worst.as_str().into())];
                assert_eq!(
                    write(&fields).capacity(),
                    buffer(&fields, widest).capacity()
                );
            }
        }
    }
}
