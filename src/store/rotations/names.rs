//! The names of keys in a journal that cannot be understood, for a person who has to look for them at the server.

/// The most names that are told.
const MOST: usize = 100;

/// The longest name that is told, in characters.
const MAX_NAME: usize = 255;

/// The texts in these bytes that may be the name of a key: every text in quotes after `tried`, and each that is the
/// value of a `name`. None holds a character that a terminal would act on. Some may be more than names; none is a
/// secret.
pub(super) fn of_keys(json: &[u8]) -> Vec<String> {
    let text = String::from_utf8_lossy(json);
    let mut found = vec![];
    // Where a journal is whole in its parts, every second part is a text.
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

/// Whether it has no other characters than the names have that we send.
fn is_like_a_name(text: &str) -> bool {
    let is_of_name = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b"-_.".contains(&b);
    (1..=MAX_NAME).contains(&text.len()) && text.bytes().all(is_of_name)
}
