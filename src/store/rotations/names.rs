//! The names of keys in a journal that cannot be understood. A person has to look for those keys at the server.

/// The largest number of names to show.
const MOST: usize = 100;

/// The longest name to show, in characters.
const MAX_NAME: usize = 255;

/// Finds the texts in these bytes that may be the name of a key: every quoted text in the list after `tried`, and each
/// value of a `name`. The texts have no control characters. Some may not be names; none is a secret.
pub(super) fn of_keys(json: &[u8]) -> Vec<String> {
    let text = String::from_utf8_lossy(json);
    let mut found = vec![];
    // If the quotes are intact, every second part is a text.
    let parts: Vec<&str> = text.split('"').collect();
    let mut is_list = false;
    for (at, part) in parts.iter().enumerate().skip(1).step_by(2) {
        let before = parts.get(at - 1).copied().unwrap_or_default();
        let after = parts.get(at + 1).copied().unwrap_or_default();
        // The last text may be cut.
        let is_whole = at + 1 < parts.len();
        if after.trim_start().starts_with(':') {
            is_list = *part == "tried";
            continue;
        }
        let label = at.checked_sub(2).and_then(|label| parts.get(label));
        let is_name = before.trim() == ":" && label.is_some_and(|label| *label == "name");
        is_list &= !before.contains(']');
        if is_whole && (is_list || is_name) && is_like_a_name(part) {
            found.push((*part).to_owned());
        }
    }
    found.sort_unstable();
    found.dedup();
    found.truncate(MOST);
    found
}

/// Whether a text has only the characters that our own names of keys have.
fn is_like_a_name(text: &str) -> bool {
    let is_of_name = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b"-_.".contains(&b);
    (1..=MAX_NAME).contains(&text.len()) && text.bytes().all(is_of_name)
}
