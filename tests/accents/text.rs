//! Placeholders `{{ NAME TEXT }}` in a line or body, for bytes that a text file cannot or should not contain.

use std::time::{Duration, SystemTime};

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};

/// The values of the placeholders.
#[derive(Debug)]
pub(crate) struct Values {
    /// `scheme://host:port` of the issuer.
    pub(crate) at: String,
    pub(crate) id: String,
    pub(crate) secret: String,
    /// When the accent started.
    pub(crate) now: SystemTime,
}

impl Values {
    /// Expands all placeholders, the innermost first.
    pub(crate) fn expand(&self, text: &str) -> Result<Vec<u8>, String> {
        let mut out = vec![];
        let mut rest = text;
        while let Some((before, from)) = rest.split_once("{{ ") {
            out.extend_from_slice(before.as_bytes());
            let end = end(from).ok_or(format!("without an end: {{{{ {from:.40}"))?;
            let (inner, after) = from.split_at(end);
            out.extend(self.value(inner)?);
            rest = &after[" }}".len()..];
        }
        out.extend_from_slice(rest.as_bytes());
        Ok(out)
    }

    /// Expands all placeholders. The result must be UTF-8.
    pub(crate) fn text(&self, text: &str) -> Result<String, String> {
        String::from_utf8(self.expand(text)?).map_err(|_| format!("not UTF-8: {text:.40}"))
    }

    fn value(&self, inner: &str) -> Result<Vec<u8>, String> {
        let (name, text) = inner.split_once(' ').unwrap_or((inner, ""));
        let at = |text: &str| {
            let seconds: i64 = text.parse().map_err(|_| format!("no seconds: {inner}"))?;
            let distance = Duration::from_secs(seconds.unsigned_abs());
            Ok::<_, String>(if seconds < 0 {
                self.now - distance
            } else {
                self.now + distance
            })
        };
        let unix = |at: SystemTime| at.duration_since(SystemTime::UNIX_EPOCH).unwrap().as_secs();
        Ok(match name {
            "at" => self.at.clone().into_bytes(),
            "id" => self.id.clone().into_bytes(),
            "secret" => self.secret.clone().into_bytes(),
            "x" => {
                let byte =
                    |word| u8::from_str_radix(word, 16).map_err(|_| format!("no bytes: {inner}"));
                text.split(' ').map(byte).collect::<Result<_, _>>()?
            }
            "repeat" => {
                let (times, text) = text
                    .split_once(' ')
                    .ok_or(format!("not a number and a text: {inner}"))?;
                let times = times.parse().map_err(|_| format!("no number: {inner}"))?;
                self.expand(text)?.repeat(times)
            }
            // The decoded bytes, which a text file cannot contain.
            "base64" => STANDARD
                .decode(text)
                .map_err(|_| format!("no base64: {inner}"))?,
            "gzip" => gzip(&self.expand(text)?),
            "jwt" => {
                let claims = URL_SAFE_NO_PAD.encode(self.expand(text)?);
                format!("eyJhbGciOiJSUzI1NiJ9.{claims}.c2lnbmF0dXJl").into_bytes()
            }
            // Unix time, this many seconds from now.
            "now" => unix(at(text)?).to_string().into_bytes(),
            // The same in the form of `Date` (RFC 9110, section 5.6.7).
            "date" => httpdate::fmt_http_date(at(text)?).into_bytes(),
            // The same in the form of RFC 3339.
            "time" => rfc3339(unix(at(text)?)).into_bytes(),
            _ => return Err(format!("unknown: {inner}")),
        })
    }
}

/// Returns the position of the ` }}` that ends the placeholder at the start of the text.
fn end(text: &str) -> Option<usize> {
    let mut depth = 0_usize;
    for at in 0..text.len() {
        let rest = &text.as_bytes()[at..];
        if rest.starts_with(b"{{ ") {
            depth += 1;
        } else if rest.starts_with(b" }}") {
            if depth == 0 {
                return Some(at);
            }
            depth -= 1;
        }
    }
    None
}

/// Encodes one gzip member (RFC 1952) of blocks without compression (RFC 1951, section 3.2.4).
fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut out = vec![0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 255];
    let mut blocks = bytes.chunks(0xffff).peekable();
    while let Some(block) = blocks.next() {
        let len = u16::try_from(block.len()).unwrap();
        out.push(u8::from(blocks.peek().is_none()));
        out.extend(len.to_le_bytes());
        out.extend((!len).to_le_bytes());
        out.extend_from_slice(block);
    }
    let mut crc = u32::MAX;
    for byte in bytes {
        crc ^= u32::from(*byte);
        for _ in 0..8 {
            crc = (crc >> 1) ^ (0xedb8_8320 * (crc & 1));
        }
    }
    out.extend((!crc).to_le_bytes());
    out.extend(u32::try_from(bytes.len()).unwrap().to_le_bytes());
    out
}

/// Formats a time in UTC. The date is calculated as in Howard Hinnant's `civil_from_days`.
fn rfc3339(unix: u64) -> String {
    let (days, seconds) = (unix / 86_400 + 719_468, unix % 86_400);
    let (era, day) = (days / 146_097, days % 146_097);
    let year = (day - day / 1_460 + day / 36_524 - day / 146_096) / 365;
    let day = day - (365 * year + year / 4 - year / 100);
    let month = (5 * day + 2) / 153;
    let day = day - (153 * month + 2) / 5 + 1;
    let month = if month < 10 { month + 3 } else { month - 9 };
    let year = year + era * 400 + u64::from(month <= 2);
    let (hour, minute, second) = (seconds / 3_600, seconds / 60 % 60, seconds % 60);
    format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}Z")
}

#[test]
fn placeholders_are_expanded() {
    let values = Values {
        at: "http://127.0.0.1:9".to_owned(),
        id: "an-id".to_owned(),
        secret: "a-secret".to_owned(),
        now: SystemTime::UNIX_EPOCH + Duration::from_secs(951_782_400),
    };
    for (text, bytes) in [
        ("{\"a\":{\"b\":{}}}", "{\"a\":{\"b\":{}}}"),
        (
            "{{ at }}/{{ id }}/{{ secret }}",
            "http://127.0.0.1:9/an-id/a-secret",
        ),
        ("<{{ repeat 3 ab }}>", "<ababab>"),
        ("{{ repeat 2 {{ x 41 42 }}- }}", "AB-AB-"),
        ("{{ base64 YQ== }}", "a"),
        (
            "{{ jwt {\"exp\":{{ now 60 }}} }}",
            "eyJhbGciOiJSUzI1NiJ9.eyJleHAiOjk1MTc4MjQ2MH0.c2lnbmF0dXJl",
        ),
        ("{{ date 1 }}", "Tue, 29 Feb 2000 00:00:01 GMT"),
        ("{{ time -1 }}", "2000-02-28T23:59:59Z"),
    ] {
        assert_eq!(values.text(text).as_deref(), Ok(bytes), "{text}");
    }
    // The output of gzip -n0.
    let packed = [
        0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 255, 1, 1, 0, 0xfe, 0xff, b'a', 0x43, 0xbe, 0xb7, 0xe8, 1,
        0, 0, 0,
    ];
    assert_eq!(values.expand("{{ gzip a }}").unwrap(), packed);
    assert!(values.expand("{{ canary }}").is_err() && values.expand("{{ at").is_err());
}
