//! The spellings in which a program may repeat a secret that it was sent.

use zeroize::Zeroizing;

use super::views::folded;

/// The prefix and the suffix of each pair of digits in the hexadecimal notations.
const HEX: [(&str, &str); 13] = [
    ("", ""),
    (":", ""),
    ("-", ""),
    (" ", ""),
    (",", ""),
    (", ", ""),
    ("%", ""),
    ("=", ""),
    ("\\x", ""),
    ("\\u00", ""),
    ("\\\\u00", ""),
    ("0x", ", "),
    ("0x", ","),
];

type Bytes = Zeroizing<Vec<u8>>;

/// A secret in one spelling.
pub(super) struct Spelling {
    /// The characters, each of them [`folded`].
    pub(super) bytes: Bytes,
    /// Whether it is the unchanged secret.
    pub(super) is_plain: bool,
    /// Whether it looks like one word, in which the secret cannot be separated from the text that it was joined with.
    pub(super) is_opaque: bool,
}

/// Returns the spellings of a secret, and of the client ID joined with it as in a header.
pub(super) fn spellings<'a>(
    secret: &'a str,
    client_id: Option<&'a str>,
) -> impl Iterator<Item = Spelling> + 'a {
    let bare: Bytes = Zeroizing::new(secret.as_bytes().to_vec());
    let mut escaped: Vec<Bytes> = vec![];
    for escape in ESCAPES {
        let spelled = spell(secret.as_bytes(), escape);
        if spelled != bare && !escaped.contains(&spelled) {
            escaped.push(spelled);
        }
    }
    // Base64 is applied to every form in which the secret may have been sent.
    let sent = escaped.clone().into_iter().chain([bare.clone()]);
    let in_base64 = sent.flat_map(|sent| [0, 1, 2].map(|shift| base64(&sent, shift)));
    let pairs = client_id.into_iter().flat_map(move |id| {
        let form = |text: &str| spell(text.as_bytes(), |b, out| form(b, out, upper_hex));
        let header = |text: &str, escape: Escape| spell(text.as_bytes(), escape);
        let pair = |id: &[u8], secret: &[u8]| {
            let pair: Bytes = Zeroizing::new([id, b":", secret].concat());
            base64(&pair, 0)
        };
        [
            pair(id.as_bytes(), secret.as_bytes()),
            pair(&form(id), &form(secret)),
            pair(&header(id, header_id), &header(secret, header_secret)),
        ]
    });
    let in_hex = HEX.into_iter().map(|(before, behind)| {
        spell(secret.as_bytes(), move |b, out| {
            out.extend_from_slice(before.as_bytes());
            hex(b, out);
            out.extend_from_slice(behind.as_bytes());
        })
    });
    let spelling = |is_plain, is_opaque| {
        move |mut bytes: Bytes| {
            for b in bytes.iter_mut() {
                *b = folded(*b);
            }
            Spelling {
                bytes,
                is_plain,
                is_opaque,
            }
        }
    };
    let readable = escaped.into_iter().chain(in_hex);
    let opaque = in_base64.chain(pairs);
    std::iter::once(bare)
        .map(spelling(true, false))
        .chain(readable.map(spelling(false, false)))
        .chain(opaque.map(spelling(false, true)))
}

/// A function that writes one byte of a secret in an escaped form.
type Escape = fn(u8, &mut Vec<u8>);

/// Escapes of forms (HTML's, then RFC 3986's, each with upper-case and lower-case digits, which differ in base64; then
/// JavaScript's two), of our headers, and of JSON (plain, with `/` escaped, as in a web page, and JSON in JSON).
const ESCAPES: [Escape; 11] = [
    |b, out| form(b, out, upper_hex),
    |b, out| form(b, out, hex),
    |b, out| percent(b, out, b"-._~", upper_hex),
    |b, out| percent(b, out, b"-._~", hex),
    |b, out| percent(b, out, b"-._~!*'()", upper_hex),
    |b, out| percent(b, out, b"-._~!*'();/?:@&=+$,#", upper_hex),
    header_secret,
    |b, out| json(b, b"", out),
    |b, out| json(b, b"/", out),
    |b, out| match b {
        b'<' | b'>' | b'&' | b'\'' => unicode(b, out),
        b => json(b, b"", out),
    },
    |b, out| {
        let once = spell(&[b], |b, out| json(b, b"", out));
        once.iter().for_each(|b| json(*b, b"", out));
    },
];

fn spell(secret: &[u8], write: impl Fn(u8, &mut Vec<u8>)) -> Bytes {
    // Enough room for the longest spelling, so that no growth leaves a copy behind.
    let mut out = Zeroizing::new(Vec::with_capacity(8 * secret.len()));
    secret.iter().for_each(|b| write(*b, &mut out));
    out
}

fn form(b: u8, out: &mut Vec<u8>, hex: Escape) {
    match b {
        b' ' => out.push(b'+'),
        b => percent(b, out, b"-._*", hex),
    }
}

/// Writes a byte of a secret as in our header, which encodes only the characters that a decoder would change.
fn header_secret(b: u8, out: &mut Vec<u8>) {
    match b {
        b'%' | b'+' | b' ' => percent(b, out, b"", upper_hex),
        b => out.push(b),
    }
}

/// Writes a byte of a client ID as in our header, which also encodes the colon.
fn header_id(b: u8, out: &mut Vec<u8>) {
    match b {
        b':' => percent(b, out, b"", upper_hex),
        b => header_secret(b, out),
    }
}

fn percent(b: u8, out: &mut Vec<u8>, kept: &[u8], hex: Escape) {
    if b.is_ascii_alphanumeric() || kept.contains(&b) {
        out.push(b);
    } else {
        out.push(b'%');
        hex(b, out);
    }
}

fn json(b: u8, escaped: &[u8], out: &mut Vec<u8>) {
    match b {
        b'"' | b'\\' => out.extend_from_slice(&[b'\\', b]),
        0..0x20 => unicode(b, out),
        b if escaped.contains(&b) => out.extend_from_slice(&[b'\\', b]),
        b => out.push(b),
    }
}

fn unicode(b: u8, out: &mut Vec<u8>) {
    out.extend_from_slice(b"\\u00");
    hex(b, out);
}

fn hex(b: u8, out: &mut Vec<u8>) {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    let digit = |n: u8| DIGITS.get(usize::from(n)).copied().unwrap_or(b'0');
    out.extend_from_slice(&[digit(b >> 4), digit(b & 15)]);
}

fn upper_hex(b: u8, out: &mut Vec<u8>) {
    let from = out.len();
    hex(b, out);
    let digits = out.get_mut(from..).unwrap_or_default();
    digits.make_ascii_uppercase();
}

/// Returns the base64 characters that depend only on these bytes, if `shift` bytes come before them.
fn base64(bytes: &[u8], shift: usize) -> Bytes {
    const DIGITS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let bit = |n: usize| {
        let byte = (n / 8).checked_sub(shift).and_then(|at| bytes.get(at));
        byte.map_or(0, |byte| (byte >> (7 - n % 8)) & 1)
    };
    let digit = |n: usize| {
        let value = (0..6).fold(0, |value, i| (value << 1) | bit(6 * n + i));
        DIGITS.get(usize::from(value)).copied().unwrap_or(b'A')
    };
    let whole = (8 * shift).div_ceil(6)..(8 * (shift + bytes.len())) / 6;
    let mut out = Zeroizing::new(Vec::with_capacity(whole.len()));
    out.extend(whole.map(digit));
    out
}
