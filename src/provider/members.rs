//! The members of a JSON object, parsed strictly: an answer that two parsers could interpret differently is refused.

use std::collections::BTreeMap;
use std::fmt;

use serde::de::{Deserialize, Deserializer, Error as _, MapAccess, Visitor};
use serde_json::value::RawValue;
use zeroize::Zeroizing;

/// The deepest accepted nesting; a token answer has one level.
const MAX_DEPTH: usize = 32;

/// The members of one JSON object, with raw values.
pub(super) struct Members<'a>(BTreeMap<String, &'a RawValue>);

impl<'a> Members<'a> {
    /// Parses bytes that are one JSON object and nothing else: no second document, no byte order mark, no name twice.
    /// `None` carries no reason, because a parser's error would quote the input.
    pub(super) fn parse(body: &'a [u8]) -> Option<Self> {
        let text = std::str::from_utf8(body).ok()?;
        if depth(text) > MAX_DEPTH {
            return None;
        }
        serde_json::from_str(text).ok()
    }

    /// Returns the member's raw value; `None` if the member is missing or `null`.
    pub(super) fn raw(&self, name: &str) -> Option<&'a str> {
        let raw = self.0.get(name)?.get();
        (raw != "null").then_some(raw)
    }

    /// Returns the member's value, if it is a string.
    pub(super) fn text(&self, name: &str) -> Option<Zeroizing<String>> {
        serde_json::from_str(self.raw(name)?)
            .ok()
            .map(Zeroizing::new)
    }
}

impl<'de: 'a, 'a> Deserialize<'de> for Members<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Object;

        impl<'de> Visitor<'de> for Object {
            type Value = BTreeMap<String, &'de RawValue>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
                let mut members = BTreeMap::new();
                while let Some((name, value)) = map.next_entry::<String, &RawValue>()? {
                    // Names are compared after decoding: `\u0061` is an `a`.
                    if members.insert(name, value).is_some() {
                        return Err(A::Error::custom("a name occurs twice"));
                    }
                }
                Ok(members)
            }
        }

        deserializer.deserialize_map(Object).map(Self)
    }
}

/// Returns the nesting depth of brackets and braces. The parser does not limit the depth of values that it skips, hence
/// this count.
fn depth(text: &str) -> usize {
    let (mut depth, mut deepest) = (0_usize, 0);
    let (mut in_string, mut escaped) = (false, false);
    for b in text.bytes() {
        match b {
            _ if escaped => escaped = false,
            b'\\' if in_string => escaped = true,
            b'"' => in_string = !in_string,
            _ if in_string => {}
            b'[' | b'{' => {
                depth += 1;
                deepest = deepest.max(depth);
            }
            b']' | b'}' => depth = depth.saturating_sub(1),
            _ => {}
        }
    }
    deepest
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn members_are_read_raw_and_as_text() {
        let members =
            Members::parse(br#" {"a":"x\/y","\u0062":1e400,"c":null,"d":{"e":1,"e":2}} "#).unwrap();
        assert_eq!(members.text("a").unwrap().as_str(), "x/y");
        assert_eq!(members.raw("b"), Some("1e400"));
        assert_eq!((members.raw("c"), members.raw("z")), (None, None));
        assert!(members.text("b").is_none() && members.text("d").is_none());
    }

    #[test]
    fn ambiguous_json_is_refused() {
        let nested = |n: usize| format!("{{\"a\":{}{}}}", "[".repeat(n), "]".repeat(n));
        assert!(Members::parse(nested(MAX_DEPTH - 1).as_bytes()).is_some());
        let brackets_in_text = format!("{{\"a\":\"\\\"{}\"}}", "[".repeat(200));
        assert!(Members::parse(brackets_in_text.as_bytes()).is_some());
        for bad in [
            "",
            " ",
            "null",
            "[]",
            "\"a\"",
            "1",
            "{",
            "{}x",
            "{}{}",
            "{} {}",
            "{\"a\":1}\n{\"a\":1}",
            "\u{feff}{}",
            "{\"a\":NaN}",
            "{\"a\":Infinity}",
            "{\"a\":01}",
            "{\"a\":1,}",
            "{'a':1}",
            "{\"a\":1,\"a\":1}",
            "{\"a\":1,\"\\u0061\":2}",
            "{\"a\":\"\n\"}",
            "\0{}",
            "{}\0",
            "<html>",
            &nested(MAX_DEPTH),
            &nested(200),
            &nested(20_000),
        ] {
            assert!(Members::parse(bad.as_bytes()).is_none(), "{bad:.40}");
        }
        assert!(Members::parse(b"{\"a\":\"\xff\"}").is_none());
        assert!(
            Members::parse(
                &"{}"
                    .encode_utf16()
                    .flat_map(u16::to_le_bytes)
                    .collect::<Vec<_>>()
            )
            .is_none()
        );
    }
}
