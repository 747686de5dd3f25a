//! Request bodies and headers that contain a secret. Each is written once, into a buffer that is wiped when it is
//! freed.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use url::form_urlencoded::byte_serialize;
use zeroize::Zeroizing;

use crate::credential::ClientSecret;

/// A value to send.
#[derive(Clone, Copy)]
pub(super) enum BodyValue<'a> {
    /// A value that is not secret.
    Open(&'a str),
    /// The secret.
    Secret(&'a ClientSecret),
}

/// A body that is wiped when it is freed.
pub(super) type SecretBody = Zeroizing<Vec<u8>>;

impl<'a> BodyValue<'a> {
    /// Returns the text unchanged.
    fn text(self) -> &'a str {
        match self {
            Self::Open(text) => text,
            Self::Secret(secret) => secret.expose(),
        }
    }
}

impl<'a> From<&'a str> for BodyValue<'a> {
    fn from(text: &'a str) -> Self {
        Self::Open(text)
    }
}

/// Writes `application/x-www-form-urlencoded` (RFC 6749 appendix B), in the given order.
pub(super) fn form(fields: &[(&str, BodyValue<'_>)]) -> SecretBody {
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

/// Writes a JSON object of strings, in the given order.
pub(super) fn json(fields: &[(&str, BodyValue<'_>)]) -> SecretBody {
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

/// The form of a client ID and its secret in a `Basic` header.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum BasicEncoding {
    /// Encodes only what a decoder would change: `%`, `+`, the space, and in the ID also the colon.
    Encoded,
    /// Leaves both unchanged.
    Raw,
}

/// Writes `Basic …` (RFC 7617). RFC 6749 section 2.3.1 form-encodes ID and secret before they are joined, but many
/// issuers compare them without decoding. So only the necessary characters are encoded: both kinds of issuers read the
/// rest the same way.
pub(super) fn basic(id: &str, secret: BodyValue<'_>, form: BasicEncoding) -> SecretBody {
    const SCHEME: &[u8] = b"Basic ";
    let mut pair = buffer(&[(id, secret)], 3);
    for (text, changed, end) in [(id, CHANGED_IN_ID, ":"), (secret.text(), CHANGED, "")] {
        for b in text.bytes() {
            if form == BasicEncoding::Encoded && changed.contains(&b) {
                pair.extend_from_slice(&[b'%', digit(b >> 4), digit(b & 15)]);
            } else {
                pair.push(b);
            }
        }
        pair.extend_from_slice(end.as_bytes());
    }
    // Four characters for three bytes, the last ones padded.
    let len = pair.len().div_ceil(3) * 4;
    let mut out = Zeroizing::new(Vec::with_capacity(SCHEME.len() + len));
    out.extend_from_slice(SCHEME);
    out.resize(SCHEME.len() + len, 0);
    let room = out.get_mut(SCHEME.len()..).unwrap_or_default();
    // The room is exactly large enough.
    let _: Result<usize, _> = STANDARD.encode_slice(&*pair, room);
    out
}

/// Reports whether the two forms of a `Basic` header differ for this client.
pub(super) fn has_two_forms(id: &str, secret: BodyValue<'_>) -> bool {
    let has = |text: &str, changed: &[u8]| text.bytes().any(|b| changed.contains(&b));
    has(id, CHANGED_IN_ID) || has(secret.text(), CHANGED)
}

/// The characters that a decoder of a secret would change.
const CHANGED: &[u8] = b"%+ ";

/// The characters that a decoder of a client ID would change, and the separator.
const CHANGED_IN_ID: &[u8] = b"%+ :";

/// Returns a digit of an encoded byte (RFC 3986 section 2.1).
fn digit(n: u8) -> u8 {
    const HEX: [u8; 16] = *b"0123456789ABCDEF";
    HEX.get(usize::from(n)).copied().unwrap_or(b'0')
}

fn encode(out: &mut SecretBody, text: &str) {
    for piece in byte_serialize(text.as_bytes()) {
        out.extend_from_slice(piece.as_bytes());
    }
}

/// Allocates room for the longest encoding: a buffer that grew would leave a copy of the secret behind.
fn buffer(fields: &[(&str, BodyValue<'_>)], widest: usize) -> SecretBody {
    let len =
        |(name, value): &(&str, BodyValue<'_>)| widest * (name.len() + value.text().len()) + 8;
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
    fn a_form_body_encodes_names_and_values() {
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
    fn a_basic_header_encodes_only_characters_that_decoding_would_change() {
        for (id, secret, pair) in [
            ("s6BhdRkqt3", "gX1fBat3bV", "s6BhdRkqt3:gX1fBat3bV"),
            ("a:b", "c:d", "a%3Ab:c:d"),
            ("my id", "a b+c%d", "my%20id:a%20b%2Bc%25d"),
            ("100%+", "%2B", "100%25%2B:%252B"),
            // Secrets in the forms that issuers generate: base64, with a tilde, with every sign.
            ("app", "dGhlIHNlY3JldA==", "app:dGhlIHNlY3JldA=="),
            ("app", "ab/cd+ef=", "app:ab/cd%2Bef="),
            ("app", "aB8~Q.x-_Y~", "app:aB8~Q.x-_Y~"),
            (
                "0oa~x@b.c/d",
                "!\"#$&'()*,-./:;<=>?@[\\]^_`{|}~",
                "0oa~x@b.c/d:!\"#$&'()*,-./:;<=>?@[\\]^_`{|}~",
            ),
        ] {
            let header = basic(id, secret.into(), BasicEncoding::Encoded);
            assert_eq!(decoded(&header), pair.as_bytes());
            assert_eq!(header.len(), header.capacity(), "the buffer never grew");
            // Parsed as a decoding server does: split at the first colon, then each part decoded as a form value.
            let (name, password) = pair.split_once(':').unwrap();
            let read = [name, password].map(|part| {
                let whole = format!("x={part}").replace('&', "%26");
                let (_, value) = url::form_urlencoded::parse(whole.as_bytes())
                    .next()
                    .unwrap();
                value.into_owned()
            });
            assert_eq!(read, [id, secret]);
            let raw = basic(id, secret.into(), BasicEncoding::Raw);
            assert_eq!(decoded(&raw), format!("{id}:{secret}").as_bytes());
            assert_eq!(
                has_two_forms(id, secret.into()),
                raw != header,
                "{id} {secret}"
            );
        }
    }

    fn decoded(header: &[u8]) -> Vec<u8> {
        let encoded = header.strip_prefix(b"Basic ").unwrap();
        STANDARD.decode(encoded).unwrap()
    }

    #[test]
    fn a_json_body_escapes_values() {
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
    fn a_body_never_reallocates_its_buffer() {
        for worst in [
            "\u{1}".repeat(1_024),
            "%".repeat(1_024),
            "\u{e9}".repeat(512),
        ] {
            for (write, widest) in [
                (form as fn(&[(&str, BodyValue<'_>)]) -> SecretBody, 3),
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
