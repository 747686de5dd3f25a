use super::*;

/// Secrets of several lengths and alphabets.
const SECRETS: [&str; 12] = [
    "hunter2",
    "s3cr3t-8",
    "correcthorsebattery",
    "correct-horse-battery-staple",
    "7f3a9c1e",
    "9d2c4b6a8f0e1d3c5b7a9f8e6d4c2b1a",
    "3Fq8Z~kd.8LmP2vXw9Rt_yB4nC6hJ0sA",
    "dGhpcyBpcyBub3QgYSBzZWNyZXQ",
    "5b0c6f3e-2d7a-4f18-9c3b-7e5d1a2f4c68",
    "73910462855019374620",
    "canary&=+% \"\\/'~<secret>",
    "kX9v2QmR7tLw4ZpB8nYc1JdF6hGs3AeU5iOa0KqWxNrTyVbMzHuPjElDfCgSoI9k2X",
];

fn said(text: &str) -> String {
    readable(
        text,
        &KnownWords::new(&["test-client", "https://sso.acme-corp.example"]),
    )
}

/// Encodes the bytes as one large number in this base.
fn in_base(bytes: &[u8], digits: &str) -> String {
    let (digits, mut number, mut out) = (digits.as_bytes(), bytes.to_vec(), vec![]);
    while number.iter().any(|digit| *digit != 0) {
        let mut rest = 0;
        for digit in &mut number {
            let value = rest * 256 + usize::from(*digit);
            *digit = u8::try_from(value / digits.len()).unwrap();
            rest = value % digits.len();
        }
        out.push(digits[rest]);
    }
    out.reverse();
    String::from_utf8(out).unwrap()
}

/// Encodes the bytes in groups of this many bits, from the left.
fn in_bits(bytes: &[u8], bits: usize, digits: &str) -> String {
    let bit = |n: usize| bytes.get(n / 8).map_or(0, |b| (b >> (7 - n % 8)) & 1);
    let digit = |n: usize| {
        let value = (0..bits).fold(0, |value, i| (value << 1) | bit(n * bits + i));
        char::from(digits.as_bytes()[usize::from(value)])
    };
    (0..(8 * bytes.len()).div_ceil(bits)).map(digit).collect()
}

/// Encodes four bytes as five digits.
fn in_85(bytes: &[u8], digits: &[u8]) -> String {
    let group = |bytes: &[u8]| {
        let mut number = bytes.iter().fold(0, |n, b| n * 256 + usize::from(*b));
        number <<= 8 * (4 - bytes.len());
        let mut out = [0; 5].map(|_: u8| {
            let digit = digits[number % 85];
            number /= 85;
            char::from(digit)
        });
        out.reverse();
        out.iter().take(bytes.len() + 1).collect::<String>()
    };
    bytes.chunks(4).map(group).collect()
}

fn base64(bytes: &[u8]) -> String {
    use base64::Engine as _;
    base64::engine::general_purpose::STANDARD.encode(bytes)
}

/// Builds a gzip file with one stored block.
fn gzip(bytes: &[u8]) -> Vec<u8> {
    let len = u16::try_from(bytes.len()).unwrap();
    let head = [0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 3, 1];
    let (len, not) = (len.to_le_bytes(), (!len).to_le_bytes());
    [&head[..], &len, &not, bytes, &[7; 8]].concat()
}

fn encodings(secret: &str) -> Vec<(&'static str, String)> {
    const LOWER: &str = "abcdefghijklmnopqrstuvwxyz";
    const ALL: &str = "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ";
    let bytes = secret.as_bytes();
    let each = |separator: &str, write: fn(u8) -> String| {
        let parts: Vec<_> = bytes.iter().map(|b| write(*b)).collect();
        parts.join(separator)
    };
    let groups = |text: &str, len: usize, separator: &str| {
        let chars: Vec<char> = text.chars().collect();
        let parts: Vec<String> = chars.chunks(len).map(|it| it.iter().collect()).collect();
        parts.join(separator)
    };
    let hex = in_bits(bytes, 4, "0123456789abcdef");
    let base32 = in_bits(bytes, 5, "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567");
    let ascii85: Vec<u8> = (b'!'..=b'u').collect();
    let z85 = format!("{ALL}.-:+=^!/*?&<>()[]{{}}@%$#");
    let rot13: String = secret
        .chars()
        .map(|c| match c {
            'a'..='z' => char::from((c as u8 - b'a' + 13) % 26 + b'a'),
            'A'..='Z' => char::from((c as u8 - b'A' + 13) % 26 + b'A'),
            c => c,
        })
        .collect();
    let reversed: String = secret.chars().rev().collect();
    let mut all = vec![
        ("base2", in_bits(bytes, 1, "01")),
        ("base8", in_bits(bytes, 3, "01234567")),
        ("base10", in_base(bytes, &ALL[..10])),
        ("base16", hex.clone()),
        ("upper base16", hex.to_uppercase()),
        ("base16 in letters", in_bits(bytes, 4, &LOWER[..16])),
        ("base26", in_base(bytes, LOWER)),
        ("base32", base32.clone()),
        ("lower base32", base32.to_lowercase()),
        (
            "base32hex",
            in_bits(bytes, 5, "0123456789ABCDEFGHIJKLMNOPQRSTUV"),
        ),
        ("base36", in_base(bytes, &ALL[..36])),
        (
            "base58",
            in_base(
                bytes,
                "123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz",
            ),
        ),
        ("base62", in_base(bytes, ALL)),
        ("base64", base64(bytes)),
        (
            "base64url",
            base64(bytes).replace('+', "-").replace('/', "_"),
        ),
        ("base64 of base64", base64(base64(bytes).as_bytes())),
        ("base64 of hex", base64(hex.as_bytes())),
        ("gzip in base64", base64(&gzip(bytes))),
        ("ascii85", in_85(bytes, &ascii85)),
        ("z85", in_85(bytes, z85.as_bytes())),
        ("percent", each("", |b| format!("%{b:02X}"))),
        ("entities", each("", |b| format!("&#{b};"))),
        ("hex entities", each("", |b| format!("&#x{b:x};"))),
        ("octal", each("", |b| format!("\\{b:03o}"))),
        ("octal words", each(" ", |b| format!("{b:03o}"))),
        ("labelled bytes", each(" ", |b| format!("byte={b}"))),
        (
            "bytes in brackets",
            format!("[{}]", each(", ", |b| b.to_string())),
        ),
        ("bytes in words", each(" and ", |b| b.to_string())),
        ("reversed", reversed.clone()),
        ("reversed base64", base64(bytes).chars().rev().collect()),
        ("rot13", rot13.clone()),
        ("in groups by signs", groups(&base32, 4, "-")),
        ("lines", groups(&base64(bytes), 8, "\n")),
    ];
    for separator in [" ", ",", ", ", ":", ".", "-", "; ", "|", "_", "/"] {
        all.push(("decimals", each(separator, |b| b.to_string())));
        all.push(("hex", each(separator, |b| format!("{b:02x}"))));
        all.push(("hex with 0x", each(separator, |b| format!("0x{b:02x}"))));
        all.push(("letters", groups(secret, 1, separator)));
    }
    for text in [&hex, &base32, &base64(bytes), &reversed, &rot13] {
        for separator in [" ", "-", "."] {
            all.push(("groups of four", groups(text, 4, separator)));
        }
    }
    all
}

/// How many characters of an encoding may remain: a part that is a short word by chance.
const LEFT: usize = 4;

#[test]
fn no_encoding_of_a_secret_remains() {
    for secret in SECRETS {
        for (name, echo) in encodings(secret) {
            // Another check covers words that are part of a secret.
            let own = ["correct", "horse", "battery", "secret"];
            let is_own = own.iter().any(|word| echo.contains(word));
            for (before, behind) in [
                ("", ""),
                ("Client authentication failed: ", ""),
                ("The client sent '", "' which is not valid"),
                ("wrong client_secret=", " for this client"),
                ("got (", "), expected another"),
                ("{\"error\":\"", "\"}"),
            ] {
                if is_own && (name == "letters" || name == "groups of four") {
                    continue;
                }
                let said = said(&format!("{before}{echo}{behind}"));
                let mut left = said.clone();
                let template = format!("{before} {behind}");
                for word in template.split(|c: char| !c.is_ascii_alphanumeric()) {
                    left = left.replacen(word, "", 1);
                }
                let left = left.replace(HIDDEN, "");
                let count = left.chars().filter(char::is_ascii_alphanumeric).count();
                assert!(count <= LEFT, "{name} of {secret}: {echo}: {said}");
            }
        }
    }
}

#[test]
fn error_texts_of_issuers_stay_readable() {
    for (text, left) in [
        ("invalid_client: Client authentication failed", None),
        ("Invalid client or Invalid client credentials", None),
        ("unauthorized_client: Invalid client secret", None),
        ("Issuer is not familiar.", None),
        ("Required parameter is missing", None),
        ("Resource id not found.", None),
        ("Global limit has been reached", None),
        ("E0000011: Invalid token provided", None),
        (
            "The client secret supplied for a confidential client is invalid.",
            None,
        ),
        ("Client not enabled to retrieve service account", None),
        (
            "invalid_request: The 'client_id' parameter is required.",
            None,
        ),
        ("Client secret expired at 2026-11-30T12:00:00.123Z", None),
        ("Too many requests: retry after 30 seconds (429)", None),
        (
            "upstream connect error or disconnect/reset before headers. reset reason: connection failure",
            None,
        ),
        ("HTTP/1.1 503 Service Unavailable", None),
        ("at least 5 of 10 tries failed within 60s", None),
        ("{\"error\":\"invalid_client\",\"code\":401}", None),
        (
            "the client 'test-client' is disabled at https://sso.acme-corp.example:8443/token",
            None,
        ),
        (
            "see https://login.contoso.com/oauth2/token or ask support@example.com",
            None,
        ),
        (
            "AADSTS7000215: Invalid client secret provided. Ensure the secret being sent in the request is the client \
             secret value, not the client secret ID, for a secret added to app '6731de76-14a6-49ae-97bc-6eba6914391e'. \
             Trace ID: 0b1d7e9a-9d0e-4e4a-8c0b-9f6f0c6b2a00 Timestamp: 2026-11-30 12:00:00Z",
            None,
        ),
        (
            "AADSTS7000222: The provided client secret keys for app are expired. Visit the Azure portal to create new \
             keys for your app: https://aka.ms/NewClientSecret",
            None,
        ),
        (
            "The requested scope is invalid. The OAuth 2.0 Client is not allowed to request scope 'foo'.",
            Some(
                "The requested scope is invalid. The OAuth 2.0 Client is not allowed to request scope '[...]'.",
            ),
        ),
        (
            "Application with identifier 'x1y2' was not found in the directory 'Contoso'.",
            Some("Application with identifier '[...]' was not found in the directory '[...]'."),
        ),
        (
            "error=invalid_client&client_id=abc&error_description=bad",
            Some("error=invalid_client&client_id=[...]&error_description=bad"),
        ),
        (
            "at https://login.contoso.com/realms/x1y2/token?x=1",
            Some("at https://login.contoso.com/realms/[...]/token?[...]"),
        ),
        (
            "at https://x1y2.example.com",
            Some("at https://[...].example.com"),
        ),
        ("no [secret] here, nor Basic [token]!", None),
        (
            "client_secret=[secret]&x7k",
            Some("client_secret=[secret][...]"),
        ),
        ("a\u{1b}[31mb\u{202e}c", Some("[...] [[...]")),
        ("", None),
    ] {
        assert_eq!(said(text), left.unwrap_or(text));
    }
}
