//! The known words: the vocabulary, and the words of the texts that a message may repeat.

use std::collections::HashSet;

use super::vocabulary::is_word;

/// The signs between the words of a name, such as an error code or a piece of JSON.
const SIGNS: [char; 18] = [
    '_', '-', '.', '/', ':', '=', ',', '@', '\'', '(', ')', '[', ']', '{', '}', ';', '"', '\\',
];

/// The most signs between two words.
const MOST_SIGNS: usize = 3;

/// The words of the texts that a message may repeat.
pub(super) struct KnownWords(HashSet<String>);

// === impl Known ===

impl KnownWords {
    /// Collects the words of these texts.
    pub(super) fn new(texts: &[&str]) -> Self {
        let words = texts
            .iter()
            .flat_map(|text| text.split(|c: char| !c.is_ascii_alphanumeric()));
        let words =
            words.filter(|word| word.len() > 1 && word.bytes().any(|b| b.is_ascii_alphabetic()));
        Self(words.map(str::to_ascii_lowercase).collect())
    }

    /// Reports whether this is a known word, or several with signs between them.
    pub(super) fn has(&self, text: &str) -> bool {
        let text = without_version(text);
        if self.has_word(text) {
            return true;
        }
        let stem = text.strip_suffix("'s").unwrap_or(text);
        let mut numbers = 0;
        let mut are_known = true;
        for word in stem.split(SIGNS).filter(|it| !it.is_empty()) {
            if word.len() <= 3 && word.bytes().all(|b| b.is_ascii_digit()) {
                numbers += 1;
            } else {
                are_known &= word.len() > 1 && self.has_word(word);
            }
        }
        let signs = stem.split(|c: char| c.is_ascii_alphanumeric());
        let has_words = stem.bytes().any(|b| b.is_ascii_alphabetic());
        are_known && has_words && numbers <= 1 && signs.map(str::len).max() <= Some(MOST_SIGNS)
    }

    /// Reports whether this is one known word.
    pub(super) fn has_word(&self, word: &str) -> bool {
        is_word(word) || self.0.contains(&word.to_ascii_lowercase())
    }
}

/// Returns the name without its version: `HTTP/1.1`, `TLSv1.2`.
pub(super) fn without_version(text: &str) -> &str {
    let bytes = text.as_bytes();
    let Some(at) = text.len().checked_sub(3) else {
        return text;
    };
    let digit = |at: usize| bytes.get(at).is_some_and(u8::is_ascii_digit);
    if !(digit(at) && bytes.get(at + 1) == Some(&b'.') && digit(at + 2)) {
        return text;
    }
    let name = text.get(..at).unwrap_or_default();
    let name = name.strip_suffix(['/', 'v']).unwrap_or(name);
    if name.is_empty() { text } else { name }
}
