//! Search for secrets in bytes, in every form in which they leak: raw, base64, hexadecimal, URL, JSON, UTF-16.

use std::collections::BTreeSet;

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD_NO_PAD, URL_SAFE_NO_PAD};

/// A text whose leak fails the test, with all its encoded forms.
#[derive(Debug, Clone)]
pub(crate) struct Canary {
    name: String,
    forms: Vec<(&'static str, Vec<u8>)>,
}

/// A search for many canaries in one pass. Separate searches of a log of megabytes for a hundred tokens would take
/// minutes.
pub(crate) struct Search<'a> {
    canaries: &'a [Canary],
    /// The canaries' forms by [`bucket`] of their first bytes, each as the numbers of the canary and of the form.
    buckets: Vec<Vec<(usize, usize)>>,
}

impl Canary {
    /// Creates a canary of this text. Short texts are refused, because they also occur by chance.
    pub(crate) fn new(name: &str, text: &str) -> Self {
        assert!(
            text.len() >= 16,
            "the canary is too short for a reliable search"
        );
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
        // The form in which the daemon sends it in a header, also as base64.
        let header = percent(|b| !b"%+ ".contains(&b), false);
        let mut in_base64 = vec![bytes.to_vec()];
        if header != bytes {
            forms.push(("header", header.clone()));
            in_base64.push(header);
        }
        let shifted = in_base64
            .iter()
            .flat_map(|text| (0..3).map(move |shift| (text, shift)));
        for (text, shift) in shifted {
            // For each of the three alignments, the characters that depend on the text only.
            let padded = [vec![0; shift], text.clone()].concat();
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
}

impl Canary {
    /// Returns its distinct forms.
    pub(crate) fn disguises(&self) -> BTreeSet<&[u8]> {
        self.forms.iter().map(|(_, form)| &form[..]).collect()
    }
}

impl<'a> Search<'a> {
    pub(crate) fn new(canaries: &'a [Canary]) -> Self {
        let mut buckets = vec![vec![]; 1 << 16];
        for (c, canary) in canaries.iter().enumerate() {
            for (f, (_, form)) in canary.forms.iter().enumerate() {
                buckets[bucket(form)].push((c, f));
            }
        }
        Self { canaries, buckets }
    }

    /// Returns the numbers of the canaries in `haystack`, each once, with a description.
    pub(crate) fn find(&self, haystack: &[u8]) -> Vec<(usize, String)> {
        let mut found: Vec<(usize, String)> = vec![];
        self.visit(haystack, |c, form, _| {
            if found.iter().all(|(known, _)| *known != c) {
                found.push((c, format!("{} ({form})", self.canaries[c].name)));
            }
        });
        found
    }

    /// Returns every occurrence of a canary in `haystack`: its number, its form and the position.
    pub(crate) fn occurrences(&self, haystack: &[u8]) -> Vec<(usize, &'static str, usize)> {
        let mut found: Vec<(usize, &str, usize)> = vec![];
        self.visit(haystack, |c, form, at| {
            // Several forms of a text may be the same bytes.
            let mut here = found.iter().rev().take_while(|(_, _, there)| *there == at);
            if !here.any(|(known, ..)| *known == c) {
                found.push((c, form, at));
            }
        });
        found
    }

    fn visit(&self, haystack: &[u8], mut found: impl FnMut(usize, &'static str, usize)) {
        for at in 0..haystack.len().saturating_sub(2) {
            let rest = &haystack[at..];
            for (c, f) in &self.buckets[bucket(rest)] {
                let (form, bytes) = &self.canaries[*c].forms[*f];
                if rest.starts_with(bytes) {
                    found(*c, form, at);
                }
            }
        }
    }
}

/// Returns a 16-bit number for the first three bytes.
fn bucket(bytes: &[u8]) -> usize {
    (usize::from(bytes[0]) << 8) ^ (usize::from(bytes[1]) << 4) ^ usize::from(bytes[2])
}

mod tests {
    use super::*;

    #[test]
    fn a_canary_is_found_in_every_form() {
        let text = "canary\"\\&=+% /secret~1234";
        let canaries = [
            Canary::new("another", "never to be found"),
            Canary::new("it", text),
        ];
        let search = Search::new(&canaries);
        let bytes = text.as_bytes();
        let hex: String = bytes.iter().map(|b| format!("{b:02x}")).collect();
        let encoded = r#"canary"\&=%2B%25%20/secret~1234"#;
        let mut found = vec![
            text.as_bytes().to_vec(),
            encoded.as_bytes().to_vec(),
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
            let header = format!("{before}{encoded}and more");
            found.push(STANDARD_NO_PAD.encode(&header).into_bytes());
        }
        for haystack in found {
            let shown = String::from_utf8_lossy(&haystack).into_owned();
            let whole = [b"before ".to_vec(), haystack.clone(), b" after".to_vec()].concat();
            for bytes in [whole, haystack] {
                let found = search.find(&bytes);
                assert!(
                    matches!(&found[..], [(1, what)] if what.starts_with("it (")),
                    "{shown}"
                );
            }
        }
        for form in canaries[1].disguises() {
            assert_eq!(search.occurrences(form).len(), 1);
        }
        let twice = format!("{text} {hex}");
        assert_eq!(
            search.occurrences(twice.as_bytes()),
            [(1, "raw", 0), (1, "hex", text.len() + 1)]
        );
        for clean in ["canary and secret, but not the canary secret", "", "ca"] {
            assert_eq!(search.find(clean.as_bytes()), []);
        }
    }
}
