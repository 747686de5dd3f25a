//! Formats keys: a table for people, and JSON for programs.
//!
//! Texts from a server are escaped.

use std::fmt::Write as _;

use serde::Serialize;

use super::MAX_USER_KEYS;
use super::kind::Family;
use super::list::Application;
use super::time;

/// The maximum length of a text from a server, in characters after escaping.
const MAX_SHOWN: usize = 80;

/// A key to be shown.
#[derive(Debug, Clone, Copy)]
pub struct Row<'a> {
    /// The key.
    pub key: &'a Application,
    /// The profiles of this machine that use it.
    pub used_by: &'a [String],
}

#[derive(Serialize)]
pub(super) struct JsonRow<'a> {
    id: &'a str,
    name: &'a str,
    client_id: &'a str,
    kind: &'static str,
    created_at: Option<u64>,
    last_login: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    created_by: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    enabled: Option<bool>,
    profiles: &'a [String],
}

#[derive(Serialize)]
struct JsonList<'a> {
    kind: &'static str,
    keys: Vec<JsonRow<'a>>,
    limit: Option<usize>,
}

/// Formats a text from a server for people: printable ASCII, the rest escaped, shortened if it is long.
pub fn printable(text: &str) -> String {
    printable_in(text, MAX_SHOWN)
}

/// Formats a sentence of this program that may quote a server. Escapes it as [`printable`] does, but does not shorten
/// it.
pub(super) fn printable_sentence(text: &str) -> String {
    printable_in(text, usize::MAX)
}

fn printable_in(text: &str, room: usize) -> String {
    let mut out = String::new();
    for c in text.chars() {
        let start = out.len();
        // Writing to a string cannot fail.
        let _ = match c {
            ' '..='~' => write!(out, "{c}"),
            '\0'..='\x7f' => write!(out, "\\x{:02x}", u32::from(c)),
            _ => write!(out, "\\u{{{:x}}}", u32::from(c)),
        };
        if out.len() > room {
            out.truncate(start);
            out.push_str("...");
            break;
        }
    }
    out
}

/// Formats when a key was last used. `now` is in Unix seconds by this machine's clock, which may differ from the
/// server's.
pub fn login(last: Option<u64>, now: u64) -> String {
    let Some(last) = last else {
        return "none recorded".to_owned();
    };
    let ago = |n: u64, unit: &str| match n {
        1 => format!("1 {unit} ago"),
        n => format!("{n} {unit}s ago"),
    };
    match now.saturating_sub(last) {
        0..60 => "just now".to_owned(),
        seconds @ 60..3_600 => ago(seconds / 60, "minute"),
        seconds @ 3_600..86_400 => ago(seconds / 3_600, "hour"),
        seconds => ago(seconds / 86_400, "day"),
    }
}

/// Formats the table for people. With `more`, it says that the server may have more keys.
pub fn table(family: Family, rows: &[Row<'_>], now: u64, more: bool) -> String {
    let with_owner = rows.iter().any(|row| row.key.created_by.is_some());
    let mut lines = vec![head(with_owner)];
    lines.extend(rows.iter().map(|row| cells(row, now, with_owner)));
    columns(&lines) + &count(family, rows.len(), more)
}

/// Returns the titles of the columns; `with_owner` adds the one for the keys' creators.
pub(super) fn head(with_owner: bool) -> Vec<String> {
    let titles = ["NAME", "CLIENT ID", "CREATED", "LAST LOGIN", "PROFILE"];
    let owner = with_owner.then_some("CREATED BY");
    titles.into_iter().chain(owner).map(str::to_owned).collect()
}

/// Returns the cells of one key's line.
pub(super) fn cells(row: &Row<'_>, now: u64, with_owner: bool) -> Vec<String> {
    let Row { key, used_by } = row;
    let created = key
        .created_at
        .map_or_else(|| "not stated".to_owned(), time::day);
    let used = match used_by {
        [] => "-".to_owned(),
        names => names.join(", "),
    };
    let mut line = vec![
        printable(&key.name),
        printable(&key.client_id),
        created,
        login(key.last_login, now),
        used,
    ];
    if with_owner {
        line.push(printable(key.created_by.as_deref().unwrap_or("-")));
    }
    line
}

/// Returns the line below the table with the number of keys.
pub(super) fn count(family: Family, n: usize, more: bool) -> String {
    let nouns = match n {
        1 => family.noun().to_owned(),
        _ => format!("{}s", family.noun()),
    };
    match (family.is_own(), more) {
        (true, _) => format!("{n} of {MAX_USER_KEYS} {}s\n", family.noun()),
        (false, false) => format!("{n} {nouns}\n"),
        (false, true) => {
            format!("{n} {nouns}; the server shows no more at once and may have more\n")
        }
    }
}

/// Joins the lines, with aligned cells.
pub(super) fn columns(lines: &[Vec<String>]) -> String {
    let count = lines.first().map_or(0, Vec::len);
    let width = |column: usize| {
        let cells = lines.iter().filter_map(|line| line.get(column));
        cells.map(String::len).max().unwrap_or(0)
    };
    let widths: Vec<usize> = (0..count).map(width).collect();
    let mut out = String::new();
    for line in lines {
        let mut text = String::new();
        for (cell, width) in line.iter().zip(&widths) {
            // Writing to a string cannot fail.
            let _ = write!(text, "{cell:width$}  ");
        }
        out.push_str(text.trim_end());
        out.push('\n');
    }
    out
}

/// Formats the list for programs, in one line of ASCII, because a terminal may show it.
pub fn json(family: Family, rows: &[Row<'_>]) -> String {
    ascii(&JsonList {
        kind: family.kind().as_str(),
        keys: rows.iter().map(|row| JsonRow::of(family, row)).collect(),
        limit: family.is_own().then_some(MAX_USER_KEYS),
    })
}

/// Formats one key for programs, like an entry of the list.
pub fn json_of_one(family: Family, row: &Row<'_>) -> String {
    ascii(&JsonRow::of(family, row))
}

/// Formats one key for people, with a line for each fact.
pub fn lines_of_one(family: Family, row: &Row<'_>, now: u64) -> String {
    let Row { key, used_by } = row;
    let mut lines = vec![
        ("name", printable(&key.name)),
        ("kind", family.noun().to_owned()),
        ("id", key.id.clone()),
        ("client ID", printable(&key.client_id)),
        (
            "created",
            key.created_at
                .map_or_else(|| "not stated".to_owned(), time::day),
        ),
        ("last login", login(key.last_login, now)),
        (
            "profile",
            match used_by {
                [] => "no profile here uses it".to_owned(),
                names => names.join(", "),
            },
        ),
    ];
    if let Some(by) = &key.created_by {
        lines.push(("created by", printable(by)));
    }
    if key.enabled == Some(false) {
        lines.push(("enabled", "no".to_owned()));
    }
    lines
        .iter()
        .map(|(what, text)| format!("{what:<11}{text}\n"))
        .collect()
}

impl<'a> JsonRow<'a> {
    pub(super) fn of(family: Family, row: &Row<'a>) -> Self {
        let Row { key, used_by } = *row;
        Self {
            id: &key.id,
            name: &key.name,
            client_id: &key.client_id,
            kind: family.kind().as_str(),
            created_at: key.created_at,
            last_login: key.last_login,
            created_by: key.created_by.as_deref(),
            enabled: key.enabled,
            profiles: used_by,
        }
    }
}

/// Returns JSON without characters that a terminal could interpret.
pub(super) fn ascii(value: &impl Serialize) -> String {
    // These types have no value that JSON cannot hold.
    let json = serde_json::to_string(value).unwrap_or_default();
    let mut out = String::with_capacity(json.len());
    for c in json.chars() {
        if c.is_ascii() && c != '\x7f' {
            out.push(c);
        } else {
            for unit in c.encode_utf16(&mut [0; 2]) {
                // Writing to a string cannot fail.
                let _ = write!(out, "\\u{unit:04x}");
            }
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(name: &str, last_login: Option<u64>) -> Application {
        Application {
            id: "1".into(),
            name: name.into(),
            client_id: "c-1".into(),
            created_at: Some(1_735_787_045),
            last_login,
            created_by: None,
            enabled: None,
        }
    }

    #[test]
    fn the_last_login_is_shown_as_a_relative_time() {
        for (last, now, words) in [
            (None, 10, "none recorded"),
            (Some(10), 10, "just now"),
            (Some(99), 10, "just now"),
            (Some(0), 60, "1 minute ago"),
            (Some(0), 7_199, "1 hour ago"),
            (Some(0), 86_400, "1 day ago"),
            (Some(0), 86_400 * 30, "30 days ago"),
        ] {
            assert_eq!(login(last, now), words);
        }
    }

    #[test]
    fn the_table_shows_the_profiles_of_a_key_and_the_key_limit() {
        let (used, unused) = (key("a", Some(0)), key("long-name", None));
        let names = ["research".to_owned()];
        let rows = [
            Row {
                key: &used,
                used_by: &names,
            },
            Row {
                key: &unused,
                used_by: &[],
            },
        ];
        assert_eq!(
            table(Family::AccessKeys, &rows, 120, false),
            "NAME       CLIENT ID  CREATED     LAST LOGIN     PROFILE\n\
             a          c-1        2025-01-02  2 minutes ago  research\n\
             long-name  c-1        2025-01-02  none recorded  -\n\
             2 of 20 access keys\n"
        );
        let all = table(Family::AllAccessKeys, &rows, 120, true);
        assert!(
            all.ends_with("2 access keys; the server shows no more at once and may have more\n")
        );
        assert!(table(Family::Applications, &[], 0, false).ends_with("0 applications\n"));
    }

    #[test]
    fn the_table_escapes_control_characters_of_the_server() {
        let evil = key("x\x1b[31m\n\u{202e}\u{9b}é", None);
        let rows = [Row {
            key: &evil,
            used_by: &[],
        }];
        for text in [
            table(Family::AccessKeys, &rows, 0, false),
            json(Family::AccessKeys, &rows),
        ] {
            let is_safe = |c: char| c == '\n' || (' '..='~').contains(&c);
            assert!(text.trim_end().chars().all(is_safe), "{text:?}");
        }
        let read: serde_json::Value =
            serde_json::from_str(&json(Family::AccessKeys, &rows)).unwrap();
        assert_eq!(read["keys"][0]["name"], "x\x1b[31m\n\u{202e}\u{9b}é");
        assert_eq!(read["limit"], 20);
        assert!(printable(&"é".repeat(1_024)).len() <= MAX_SHOWN + 3);
    }
}
