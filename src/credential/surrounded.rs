//! Text that was copied together with a value: spaces, quotes, the name of a variable.

/// The kind of value that a name before it announces.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Label {
    /// A client ID.
    Id,
    /// A client secret.
    Secret,
}

/// A value, and the text around it.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct SurroundedText<'a> {
    /// The value alone.
    pub inner: &'a str,
    /// The kind that the name before it announces.
    pub label: Option<Label>,
    has_quotes: bool,
    has_space_before: bool,
    has_space_after: bool,
}

/// The pairs of quotes that programs, shells and word processors write.
const QUOTES: [(char, char); 7] = [
    ('"', '"'),
    ('\'', '\''),
    ('`', '`'),
    ('\u{201c}', '\u{201d}'),
    ('\u{2018}', '\u{2019}'),
    ('\u{201e}', '\u{201c}'),
    ('\u{ab}', '\u{bb}'),
];

/// The ends of the names of client IDs and of secrets, without characters other than letters and digits. Other names
/// are part of the value: a secret may contain `=` and `:`.
const IDS: [&str; 4] = ["clientid", "appid", "applicationid", "accesskeyid"];
const SECRETS: [&str; 5] = [
    "clientsecret",
    "appsecret",
    "applicationsecret",
    "accesskeysecret",
    "secretkey",
];

/// The longest name, in bytes.
const MAX_NAME: usize = 48;

impl<'a> SurroundedText<'a> {
    /// Separates a value from the text around it.
    pub fn of(text: &'a str) -> Self {
        let mut found = Self {
            inner: text,
            label: None,
            has_quotes: false,
            has_space_before: false,
            has_space_after: false,
        };
        loop {
            let inner = found.inner.trim_start_matches(is_space);
            found.has_space_before |= inner.len() < found.inner.len();
            let trimmed = inner.trim_end_matches(is_space);
            found.has_space_after |= trimmed.len() < inner.len();
            found.inner = trimmed;
            if found.label.is_none()
                && let Some((label, value)) = labelled(trimmed)
            {
                // The spaces between the name and the value are part of the form.
                found.inner = value.trim_start_matches(is_space);
                found.label = Some(label);
            } else if let Some(inner) = unquoted(trimmed) {
                (found.inner, found.has_quotes) = (inner, true);
            } else {
                return found;
            }
        }
    }

    /// Separates a value like [`Self::of`], but keeps a name before it that may be part of the value, since no person
    /// can be asked.
    pub fn of_unasked(text: &'a str) -> Self {
        let found = Self::of(text);
        let whole = Self {
            inner: text,
            label: None,
            has_quotes: false,
            has_space_before: false,
            has_space_after: false,
        };
        let is_plain = found.has_quotes || found.has_space_before || found.has_space_after;
        match is_plain || found.label.is_none() || !has_short_name(text) {
            true => found,
            false => whole,
        }
    }

    /// Describes the text around the value; `None` if there is none.
    pub fn said(&self) -> Option<String> {
        let spaces = match (self.has_space_before, self.has_space_after) {
            (true, true) => Some("spaces around it"),
            (true, false) => Some("a space before it"),
            (false, true) => Some("a space after it"),
            (false, false) => None,
        };
        let name = self.label.map(|_| "a name before it");
        let quotes = self.has_quotes.then_some("quotes around it");
        let all: Vec<_> = [name, quotes, spaces].into_iter().flatten().collect();
        match all.split_last()? {
            (last, []) => Some((*last).to_owned()),
            (last, others) => Some(format!("{} and {last}", others.join(", "))),
        }
    }
}

/// Whether a character is a space of any kind, including those without a width.
pub fn is_space(c: char) -> bool {
    c.is_whitespace() || matches!(c, '\u{200b}'..='\u{200d}' | '\u{2060}' | '\u{feff}')
}

/// The text inside a pair of quotes, after which a list or a script may have a comma or a semicolon.
fn unquoted(text: &str) -> Option<&str> {
    let inside = |text: &'_ str| {
        QUOTES.iter().find_map(|(open, close)| {
            let from = open.len_utf8();
            let to = text.len().checked_sub(close.len_utf8())?;
            (from <= to && text.starts_with(*open) && text.ends_with(*close)).then_some((from, to))
        })
    };
    let end = text.strip_suffix([',', ';']).unwrap_or(text);
    let (from, to) = inside(text).or_else(|| inside(end))?;
    text.get(from..to)
}

/// A value behind its name, as in `CLIENT_ID=…`, `export CLIENT_ID='…'`, `"clientId": "…"` or `Client ID: …`.
fn labelled(text: &str) -> Option<(Label, &str)> {
    let text = text.strip_prefix("$env:").unwrap_or(text);
    let at = text.find(['=', ':'])?;
    let (name, value) = text.split_at_checked(at)?;
    // Quotes around the whole text are removed first.
    let is_closed = |quote| name.matches(quote).count() % 2 == 0;
    if !['"', '\''].into_iter().all(is_closed) {
        return None;
    }
    Some((label(name)?, value.get(1..)?))
}

/// Whether the name before a value is a single word: a secret may begin with `id:` or `secret=`.
fn has_short_name(text: &str) -> bool {
    ["id", "secret"].into_iter().any(|name| {
        let behind = text.get(name.len()..).unwrap_or_default();
        let is_name = text
            .get(..name.len())
            .is_some_and(|it| it.eq_ignore_ascii_case(name));
        is_name && behind.starts_with(['=', ':'])
    })
}

/// The kind of value that a name announces.
pub fn label(name: &str) -> Option<Label> {
    let is_of_name = |c: char| c.is_ascii_alphanumeric() || " _-.\"'$".contains(c);
    if name.len() > MAX_NAME || !name.chars().all(is_of_name) {
        return None;
    }
    let letters = name.chars().filter(char::is_ascii_alphanumeric);
    let name: String = letters.map(|c| c.to_ascii_lowercase()).collect();
    let is_one = |ends: &[&str], whole| name == whole || ends.iter().any(|end| name.ends_with(end));
    if is_one(&SECRETS, "secret") {
        Some(Label::Secret)
    } else if is_one(&IDS, "id") {
        Some(Label::Id)
    } else {
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quotes_spaces_and_names_around_a_value_are_separated_from_it() {
        for (text, inner, said) in [
            ("abc", "abc", None),
            ("a b", "a b", None),
            ("", "", None),
            ("abc ", "abc", Some("a space after it")),
            ("\tabc", "abc", Some("a space before it")),
            (" abc\r\n", "abc", Some("spaces around it")),
            ("\u{feff}abc\u{a0}", "abc", Some("spaces around it")),
            ("\"abc\"", "abc", Some("quotes around it")),
            ("'abc'", "abc", Some("quotes around it")),
            ("`abc`", "abc", Some("quotes around it")),
            ("\u{201c}abc\u{201d}", "abc", Some("quotes around it")),
            ("'\"abc\"'", "abc", Some("quotes around it")),
            (
                "\"abc\" ",
                "abc",
                Some("quotes around it and a space after it"),
            ),
            (
                "\" abc\"",
                "abc",
                Some("quotes around it and a space before it"),
            ),
            ("CLIENT_ID=abc", "abc", Some("a name before it")),
            (
                "export RUNAI_CLIENT_SECRET='a=b:c'",
                "a=b:c",
                Some("a name before it and quotes around it"),
            ),
            (
                "\"clientSecret\": \"abc\",",
                "abc",
                Some("a name before it and quotes around it"),
            ),
            ("clientId: abc", "abc", Some("a name before it")),
            ("Client secret: abc", "abc", Some("a name before it")),
            ("--client-secret=abc", "abc", Some("a name before it")),
            (
                "'client_id=abc'",
                "abc",
                Some("a name before it and quotes around it"),
            ),
            (
                "$env:CLIENT_ID = \"abc\"",
                "abc",
                Some("a name before it and quotes around it"),
            ),
            // Parts of the value.
            ("abc\"", "abc\"", None),
            ("\"", "\"", None),
            ("a\"b", "a\"b", None),
            ("abc,", "abc,", None),
            ("YWJj==", "YWJj==", None),
            ("key=abc", "key=abc", None),
            ("urn:client:abc", "urn:client:abc", None),
            ("https://client-id=x", "https://client-id=x", None),
        ] {
            let found = SurroundedText::of(text);
            assert_eq!(
                (found.inner, found.said().as_deref()),
                (inner, said),
                "{text:?}"
            );
        }
    }

    #[test]
    fn a_value_starting_with_an_ambiguous_name_is_not_refused() {
        for (text, said) in [
            ("secret=abc", None),
            ("ID:abc", None),
            ("abc", None),
            ("CLIENT_SECRET=abc", Some("a name before it")),
            ("client-id: abc", Some("a name before it")),
            ("secret=abc ", Some("a name before it and a space after it")),
            ("\"abc\"", Some("quotes around it")),
        ] {
            let found = SurroundedText::of_unasked(text).said();
            assert_eq!(found.as_deref(), said, "{text}");
        }
    }

    #[test]
    fn a_label_identifies_a_client_id_or_a_secret() {
        for (name, what) in [
            ("CLIENT_ID", Some(Label::Id)),
            ("client-id", Some(Label::Id)),
            ("export MY_APP_ID", Some(Label::Id)),
            ("id", Some(Label::Id)),
            ("\"clientId\"", Some(Label::Id)),
            ("Client secret", Some(Label::Secret)),
            ("secret", Some(Label::Secret)),
            ("APP_SECRET", Some(Label::Secret)),
            ("CLIENT_SECRET_KEY", Some(Label::Secret)),
            ("token", None),
            ("valid", None),
            ("clientid/", None),
            ("", None),
        ] {
            assert_eq!(label(name), what, "{name}");
        }
    }
}
