//! Addresses in an issuer's text, of which only the readable parts are kept.

use std::net::IpAddr;

use super::known::KnownWords;

/// The top-level domains that identify a host's name without a scheme.
const DOMAINS: [&str; 9] = [
    "com", "net", "org", "io", "ai", "dev", "cloud", "local", "example",
];

/// The text that replaces an unreadable part.
pub(super) const HIDDEN: &str = "[...]";

/// The longest unknown label. A host may have at most one label that is not a known word.
const MAX_LABEL: usize = 12;

/// Hides the unreadable parts of an address; `None` if the text is not an address.
pub(super) fn address(text: &str, known: &KnownWords) -> Option<String> {
    let Some((scheme, rest)) = text.split_once("://") else {
        let is_name = text
            .bytes()
            .all(|b| b.is_ascii_alphanumeric() || b".-".contains(&b));
        let (_, last) = text.rsplit_once('.')?;
        return (is_name && DOMAINS.contains(&last)).then(|| host(text, known))?;
    };
    if !["http", "https"].contains(&scheme) {
        return None;
    }
    let end = rest.find(['/', '?', '#']).unwrap_or(rest.len());
    let (authority, rest) = rest.split_at(end);
    let is_port = |text: &&str| text.len() <= 5 && text.bytes().all(|b| b.is_ascii_digit());
    let split = authority.rsplit_once(':').filter(|(_, port)| is_port(port));
    let (name, port) = match split {
        Some((name, port)) => (name, format!(":{port}")),
        None => (authority, String::new()),
    };
    let name = host(name, known).unwrap_or_else(|| HIDDEN.to_owned());
    let (path, query) = rest.split_at(rest.find(['?', '#']).unwrap_or(rest.len()));
    let path: Vec<_> = path
        .split('/')
        .map(|part| match part {
            part if part.is_empty() || known.has(part) => part,
            _ => HIDDEN,
        })
        .collect();
    let query = match query.get(..1) {
        Some(sign) => format!("{sign}{HIDDEN}"),
        None => String::new(),
    };
    Some(format!("{scheme}://{name}{port}{}{query}", path.join("/")))
}

/// Hides the unreadable labels of a host's name; `None` if no label is readable.
fn host(name: &str, known: &KnownWords) -> Option<String> {
    let bare = name.trim_start_matches('[').trim_end_matches(']');
    if bare.parse::<IpAddr>().is_ok() {
        return Some(name.to_owned());
    }
    let mut is_spent = false;
    let labels: Vec<_> = name
        .split('.')
        .map(|label| {
            let may_stand = known.has(label)
                || (!std::mem::replace(&mut is_spent, true) && is_pronounceable(label));
            if may_stand { label } else { HIDDEN }
        })
        .collect();
    labels
        .iter()
        .any(|label| *label != HIDDEN)
        .then(|| labels.join("."))
}

/// Reports whether a label may be a word that the vocabulary lacks, such as a company's name. Encoded data has digits,
/// or no vowels between its consonants.
fn is_pronounceable(label: &str) -> bool {
    let is_vowel = |b: u8| b"aeiouy".contains(&b);
    let rows = label
        .as_bytes()
        .chunk_by(|a, b| is_vowel(*a) == is_vowel(*b));
    let are_short = rows.map(<[u8]>::len).all(|len| len <= 2);
    are_short
        && (3..=MAX_LABEL).contains(&label.len())
        && label.bytes().all(|b| b.is_ascii_lowercase())
        && label.bytes().any(is_vowel)
}
