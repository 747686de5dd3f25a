//! Identification of a rejected token in a report.

use std::borrow::Cow;

use serde::{Deserialize, Deserializer};

/// Exclusive upper bound of generations. Every JSON reader keeps numbers below it exact.
const GENERATION_END: u64 = 1 << 53;

/// The token that a resource rejected.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Rejected {
    /// Identified by its generation.
    Generation(u64),
    /// Identified by its SHA-256, so that a reporter need not send the token itself.
    Sha256([u8; 32]),
}

/// The body of a report.
#[derive(Deserialize)]
struct Body<'a> {
    #[serde(default, deserialize_with = "given")]
    generation: Option<u64>,
    #[serde(default, borrow, deserialize_with = "given")]
    token_sha256: Option<Cow<'a, str>>,
}

/// Deserialises a member that must have a value if it is present. `null` is an error.
fn given<'de, D: Deserializer<'de>, T: Deserialize<'de>>(value: D) -> Result<Option<T>, D::Error> {
    T::deserialize(value).map(Some)
}

impl Rejected {
    /// Parses the body of a report: `{"generation": N}` or `{"token_sha256": "64 hexadecimal digits"}`.
    ///
    /// # Errors
    /// A fixed sentence that describes a valid report.
    pub fn from_json(body: &[u8]) -> Result<Self, &'static str> {
        const WANTED: &str =
            "a report is {\"generation\": NUMBER} or {\"token_sha256\": \"64 hexadecimal digits\"}";
        let body: Body<'_> = serde_json::from_slice(body).map_err(|_| WANTED)?;
        match (body.generation, body.token_sha256) {
            (Some(generation), None) if generation < GENERATION_END => {
                Ok(Self::Generation(generation))
            }
            (None, Some(hash)) => Self::from_hex(&hash).ok_or(WANTED),
            _ => Err(WANTED),
        }
    }

    /// Parses a SHA-256 in hexadecimal digits.
    pub fn from_hex(text: &str) -> Option<Self> {
        let mut hash = [0; 32];
        let (pairs, []) = text.as_bytes().as_chunks::<2>() else {
            return None;
        };
        if pairs.len() != hash.len() {
            return None;
        }
        for (byte, pair) in hash.iter_mut().zip(pairs) {
            let [high, low] = pair.map(|digit| char::from(digit).to_digit(16));
            *byte = u8::try_from(high? * 16 + low?).ok()?;
        }
        Some(Self::Sha256(hash))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_report_must_name_a_generation_or_a_hash() {
        let hex = "00ff".repeat(16);
        let upper = hex.to_uppercase();
        let hash = Rejected::Sha256([[0, 0xff]; 16].concat().try_into().unwrap());
        for (body, want) in [
            (
                r#"{"generation": 7}"#.to_owned(),
                Some(Rejected::Generation(7)),
            ),
            (
                r#"{"generation":9007199254740991,"later":{}}"#.to_owned(),
                Some(Rejected::Generation((1 << 53) - 1)),
            ),
            (format!(r#"{{"token_sha256":"{hex}"}}"#), Some(hash)),
            (format!(r#"{{"token_sha256":"{upper}"}}"#), Some(hash)),
            (
                format!(r#"{{"token_sha256":"\u0030{}"}}"#, &hex[1..]),
                Some(hash),
            ),
            (
                format!(r#"{{"token_sha256":"{hex}","generation":7}}"#),
                None,
            ),
            (format!(r#"{{"token_sha256":"{hex}0"}}"#), None),
            (format!(r#"{{"token_sha256":"{hex}00"}}"#), None),
            (format!(r#"{{"token_sha256":"é{}"}}"#, &hex[2..]), None),
            (r#"{"token_sha256":""}"#.to_owned(), None),
            (r#"{"token_sha256":7}"#.to_owned(), None),
            (r#"{"generation":9007199254740992}"#.to_owned(), None),
            (r#"{"generation":null}"#.to_owned(), None),
            (
                format!(r#"{{"token_sha256":"{hex}","generation":null}}"#),
                None,
            ),
            (r#"{"generation":-1}"#.to_owned(), None),
            (r#"{"generation":1.5}"#.to_owned(), None),
            (r#"{"generation":"7"}"#.to_owned(), None),
            (r#"{"generation":1e400}"#.to_owned(), None),
            (r#"{"generation":7,"generation":8}"#.to_owned(), None),
            ("{}".to_owned(), None),
            ("[]".to_owned(), None),
            ("7".to_owned(), None),
            (String::new(), None),
        ] {
            assert_eq!(Rejected::from_json(body.as_bytes()).ok(), want, "{body}");
        }
    }
}
