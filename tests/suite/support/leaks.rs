//! Looks for secrets in bytes, in every form in which they leak: raw, base64, hexadecimal, URL, JSON, UTF-16.

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD_NO_PAD, URL_SAFE_NO_PAD};

/// A text that must not come out, under all its disguises.
#[derive(Debug, Clone)]
pub(crate) struct Canary {
    name: String,
    forms: Vec<(&'static str, Vec<u8>)>,
}

impl Canary {
    /// A canary of this text. Short texts would be found by chance.
    pub(crate) fn new(name: &str, text: &str) -> Self {
        assert!(text.len() >= 16, "too short to be found for sure");
        let bytes = text.as_bytes();
        let hex: String = bytes.iter().map(|b| format!("{b:02x}")).collect();
        let utf16: Vec<u8> = text.encode_utf16().flat_map(u16::to_le_bytes).collect();
        let percent = |keep: fn(u8) -> bool, lower: bool| -> Vec<u8> {
            let escape = |b: u8| {
                if lower {
                    format!("%{b:02x}")
                } else {
                    format!("%{b:02X}")
                }
            };
            let piece = |b: &u8| {
                if keep(*b) {
                    char::from(*b).to_string()
                } else {
                    escape(*b)
                }
            };
            bytes.iter().map(piece).collect::<String>().into_bytes()
        };
        let unreserved = |b: u8| b.is_ascii_alphanumeric() || b"-._~".contains(&b);
        let form = |b: u8| b.is_ascii_alphanumeric() || b"-._*".contains(&b);
        let json = serde_json::to_string(text).unwrap();
        let debug = format!("{text:?}");
        let mut forms = vec![
            ("raw", bytes.to_vec()),
            ("hex", hex.to_uppercase().into_bytes()),
            ("hex", hex.into_bytes()),
            ("utf-16", utf16),
            ("url", percent(unreserved, false)),
            ("url", percent(unreserved, true)),
            ("form", percent(form, false)),
            ("json", json.trim_matches('"').as_bytes().to_vec()),
            (
                "json in json",
                serde_json::to_string(&json)
                    .unwrap()
                    .trim_matches('"')
                    .as_bytes()
                    .to_vec(),
            ),
            ("debug", debug.trim_matches('"').as_bytes().to_vec()),
        ];
        for shift in 0..3 {
            // At each of the three alignments, the characters that depend on the text alone.
            let padded = [vec![0; shift], bytes.to_vec()].concat();
            let from = (shift * 8).div_ceil(6);
            let to = padded.len() * 8 / 6;
            for code in [
                STANDARD_NO_PAD.encode(&padded),
                URL_SAFE_NO_PAD.encode(&padded),
            ] {
                forms.push(("base64", code.as_bytes()[from..to].to_vec()));
            }
        }
        Self {
            name: name.to_owned(),
            forms,
        }
    }

    /// Its name and the form in which it is in `haystack`, if it is.
    pub(crate) fn find(&self, haystack: &[u8]) -> Option<String> {
        self.forms
            .iter()
            .find(|(_, form)| haystack.windows(form.len()).any(|window| window == form))
            .map(|(form, _)| format!("{} ({form})", self.name))
    }
}

mod tests {
    use super::*;

    #[test]
    fn a_canary_is_found_in_every_form() {
        let text = "canary\"\\&=+% /secret~1234";
        let canary = Canary::new("it", text);
        let bytes = text.as_bytes();
        let hex: String = bytes.iter().map(|b| format!("{b:02x}")).collect();
        let mut found = vec![
            text.as_bytes().to_vec(),
            hex.clone().into_bytes(),
            hex.to_uppercase().into_bytes(),
            b"canary%22%5C%26%3D%2B%25%20%2Fsecret~1234".to_vec(),
            br#"canary\"\\&=+% /secret~1234"#.to_vec(),
            text.encode_utf16().flat_map(u16::to_le_bytes).collect(),
            serde_json::to_vec(&serde_json::json!({ "a": text })).unwrap(),
            format!("{:?}", Some(text)).into_bytes(),
        ];
        for before in ["", "a", "ab", "abc"] {
            let whole = format!("{before}{text}and more");
            found.push(STANDARD_NO_PAD.encode(&whole).into_bytes());
            found.push(URL_SAFE_NO_PAD.encode(&whole).into_bytes());
        }
        for haystack in found {
            let shown = String::from_utf8_lossy(&haystack).into_owned();
            assert!(
                canary
                    .find(&[b"before ".to_vec(), haystack, b" after".to_vec()].concat())
                    .is_some(),
                "{shown}"
            );
        }
        assert_eq!(
            canary.find(b"canary and secret, but not the canary secret"),
            None
        );
    }
}
