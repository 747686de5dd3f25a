//! The vocabulary of issuers' messages.

use std::collections::HashSet;
use std::sync::LazyLock;

/// Words of English, of OAuth 2.0 and of its neighbours, in lower case.
static WORDS: LazyLock<HashSet<&str>> =
    LazyLock::new(|| include_str!("vocabulary.txt").split_whitespace().collect());

/// The endings that a word may have, and what they replace.
const ENDINGS: [(&str, &str); 11] = [
    ("s", ""),
    ("es", ""),
    ("ies", "y"),
    ("ed", ""),
    ("d", ""),
    ("ied", "y"),
    ("ing", ""),
    ("ing", "e"),
    ("ly", ""),
    ("er", ""),
    ("or", ""),
];

/// Names whose capitals follow no rule.
const NAMES: [&str; 6] = ["OAuth", "OAuth2", "OpenID", "GitHub", "macOS", "RunAI"];

/// The shortest stem of a word with an ending. Shorter ones match too easily by chance.
const SHORTEST_STEM: usize = 3;

/// Reports whether this is a known word, in lower case, in upper case or capitalised, or several in camel case.
pub(super) fn is_word(text: &str) -> bool {
    if !text.is_ascii() || text.is_empty() {
        return false;
    }
    if NAMES.contains(&text) {
        return true;
    }
    let lower = text.to_ascii_lowercase();
    let rest = text.get(1..).unwrap_or_default();
    let is_even = *rest == lower[1..] || *text == text.to_ascii_uppercase();
    if is_even && is_known(&lower) {
        return true;
    }
    !is_even && is_camel_case(text)
}

/// Reports whether each part of a word in camel case is a known word of two letters or more, and at least one is longer
/// than a short stem.
fn is_camel_case(text: &str) -> bool {
    let mut parts: Vec<String> = vec![];
    let mut was_lower = false;
    for c in text.chars() {
        if !c.is_ascii_alphabetic() {
            return false;
        }
        if parts.is_empty() || (c.is_ascii_uppercase() && was_lower) {
            parts.push(String::new());
        }
        was_lower = c.is_ascii_lowercase();
        if let Some(part) = parts.last_mut() {
            part.push(c);
        }
    }
    // A single part would recurse forever.
    parts.len() > 1
        && parts.iter().any(|part| part.len() > SHORTEST_STEM)
        && parts.iter().all(|part| part.len() > 1 && is_word(part))
}

fn is_known(lower: &str) -> bool {
    if WORDS.contains(lower) {
        return true;
    }
    ENDINGS.iter().any(|(ending, instead)| {
        let Some(stem) = lower.strip_suffix(ending) else {
            return false;
        };
        stem.len() >= SHORTEST_STEM && WORDS.contains(format!("{stem}{instead}").as_str())
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn vocabulary_words_are_recognized_in_their_usual_cases_and_endings() {
        for word in [
            "client",
            "Client",
            "CLIENT",
            "clients",
            "identities",
            "verified",
            "authenticating",
            "configured",
            "isn't",
            "clientId",
            "InvalidClient",
            "accessDenied",
            "OAuth2",
            "a",
        ] {
            assert!(is_word(word), "{word}");
        }
        for word in [
            "", "tneilc", "pyvrag", "clienT", "cLient", "xyz", "MFRGGZDF", "aXpQ", "\u{e9}", "as1",
            "cliént",
        ] {
            assert!(!is_word(word), "{word}");
        }
    }

    #[test]
    fn the_vocabulary_is_sorted_and_lower_case() {
        let words: Vec<_> = include_str!("vocabulary.txt").split_whitespace().collect();
        assert!(words.is_sorted() && words.len() == WORDS.len());
        assert!(words.iter().all(|word| *word == word.to_lowercase()));
    }
}
