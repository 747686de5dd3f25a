//! Adds a profile to a configuration's text, or removes one, and keeps every other byte.
//!
//! An edit appends to the text or cuts from it; it never rewrites the rest. Each result is parsed again and must equal
//! the old configuration with just that difference, so an unsupported form is refused and never damaged.

use std::fmt;
use std::ops::Range;

use toml_edit::{Document, InlineTable, Item, TableLike, Value};

use super::document::parse;
use super::fault::ConfigFault;
use super::lookup::FixedNames;
use super::profile::{Config, Profile};
use super::rotation::DEFAULT_GRACE;
use super::span;
use crate::command_line;
use crate::profile::ProfileName;
use crate::schedule::Reissue;

/// The reason why a configuration was not changed.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum EditError {
    /// The text already has faults, which must be repaired first.
    Invalid(Vec<ConfigFault>),
    /// A profile of this name exists.
    Conflict(ProfileName),
    /// No profile of this name exists.
    Unknown(ProfileName),
    /// The store of encrypted files already has a recipient, or its table is written in a form that cannot be edited
    /// here.
    Recipient,
    /// The profiles are written in a form that cannot be edited here, such as an inline table; or the profile cannot be
    /// written in TOML, for example with a path that is not UTF-8.
    Form(ProfileName),
}

/// Adds a profile at the end of the text.
///
/// # Errors
/// [`EditError`]; [`EditError::Conflict`] if a profile of this name exists.
pub fn add_profile(text: &str, name: &ProfileName, profile: &Profile) -> Result<String, EditError> {
    let mut config = parse(text, &FixedNames).map_err(EditError::Invalid)?;
    if config.profiles.contains_key(name) {
        return Err(EditError::Conflict(name.clone()));
    }
    let end = line_end(text);
    let mut new = text.to_owned();
    if !new.is_empty() {
        if !new.ends_with('\n') {
            new.push_str(end);
        }
        new.push_str(end);
    }
    let lines = lines_of(name, profile).ok_or_else(|| EditError::Form(name.clone()))?;
    for line in lines {
        new.push_str(&line);
        new.push_str(end);
    }
    config.profiles.insert(name.clone(), profile.clone());
    checked(new, &config, name)
}

/// The text that is left after the last profile was removed. An empty file would explain nothing, and could be a file
/// that is still being written. The comment stays true when a profile is added again.
const NONE_LEFT: &str = "# profiles are added here by: jetond add";

/// Removes a profile from the text: cuts its lines, and the blank line before them if there is one on both sides. If
/// nothing is left, the text becomes a comment.
///
/// # Errors
/// [`EditError`]; [`EditError::Unknown`] if no profile of this name exists.
pub fn remove_profile(text: &str, name: &ProfileName) -> Result<String, EditError> {
    let mut config = parse(text, &FixedNames).map_err(EditError::Invalid)?;
    if config.profiles.remove(name).is_none() {
        return Err(EditError::Unknown(name.clone()));
    }
    config.allow.remove(name);
    config.hosts.remove(name);
    config.sinks.remove(name);
    let form = || EditError::Form(name.clone());
    let document = Document::parse(text).map_err(|_| form())?;
    let profiles = document.get("profiles").and_then(Item::as_table_like);
    let (key, item) = profiles
        .and_then(|profiles| profiles.get_key_value(name.as_str()))
        .ok_or_else(form)?;
    let mut cuts = Vec::new();
    collect(key.span(), item, &mut cuts);
    let mut new = String::new();
    let mut kept = 0;
    for cut in merged(text, cuts) {
        new.push_str(text.get(kept..cut.start).ok_or_else(form)?);
        kept = cut.end;
    }
    new.push_str(text.get(kept..).ok_or_else(form)?);
    if new.trim_matches('\u{feff}').trim().is_empty() {
        new.push_str(NONE_LEFT);
        if command_line::is_of_the_system() {
            new.push_str(command_line::SYSTEM);
        }
        new.push_str(line_end(text));
    }
    checked(new, &config, name)
}

/// Returns the new text if it parses to the expected configuration.
pub(super) fn checked(
    new: String,
    expected: &Config,
    name: &ProfileName,
) -> Result<String, EditError> {
    match parse(&new, &FixedNames) {
        Ok(config) if config == *expected => Ok(new),
        _ => Err(EditError::Form(name.clone())),
    }
}

/// Returns the line end that the text uses.
pub(super) fn line_end(text: &str) -> &'static str {
    match text.split_once('\n') {
        Some((line, _)) if line.ends_with('\r') => "\r\n",
        _ => "\n",
    }
}

/// Writes the lines of a profile. Defaults are left out, except the store: it is decided once, so it is written down.
fn lines_of(name: &ProfileName, profile: &Profile) -> Option<Vec<String>> {
    let quoted = |text: &str| Value::from(text).to_string();
    let line = |key: &str, text: &str| format!("{key} = {}", quoted(text));
    let header = if name.as_str().contains('.') {
        format!("[profiles.\"{name}\"]")
    } else {
        format!("[profiles.{name}]")
    };
    let mut lines = vec![header, line("provider", profile.provider.as_str())];
    let entries = profile.provider.entries();
    lines.extend(
        entries
            .iter()
            .map(|(key, value)| format!("{key} = {value}")),
    );
    // The lines of the credential's place go after the address.
    let at = 3.min(lines.len());
    let place = profile.credential.entries()?.into_iter();
    lines.splice(at..at, place.map(|(key, value)| format!("{key} = {value}")));
    if let Some(path) = &profile.ca_file {
        lines.push(line("ca-file", path.to_str()?));
    }
    if let Some(proxy) = profile.proxy.as_str() {
        lines.push(line("proxy", proxy));
    }
    if let Some(certificate) = &profile.client_certificate {
        let (cert, key) = (certificate.cert.to_str()?, certificate.key.to_str()?);
        let pair = InlineTable::from_iter([("cert", cert), ("key", key)]);
        lines.push(format!("client-certificate = {}", Value::from(pair)));
    }
    if profile.keep_warm {
        lines.push("keep-warm = true".into());
    }
    if profile.reissue != Reissue::default() {
        lines.push(line("reissue", profile.reissue.as_str()));
    }
    if let Some(lifetime) = profile.lifetime {
        lines.push(line("lifetime", &span::shown(lifetime)));
    }
    let rotation = &profile.rotation;
    if let Some(every) = rotation.every {
        lines.push(line("rotate-every", &span::shown(every)));
    }
    if rotation.grace != DEFAULT_GRACE {
        lines.push(line("rotate-grace", &span::shown(rotation.grace)));
    }
    if rotation.is_shared {
        lines.push("shared = true".into());
    }
    Some(lines)
}

/// Collects the lines of an item. A table with its own header reaches from the header to its last value.
fn collect(key: Option<Range<usize>>, item: &Item, cuts: &mut Vec<Range<usize>>) {
    match item {
        Item::None => {}
        Item::Value(value) => cuts.extend(joined(key, value.span())),
        Item::Table(table) => {
            if !table.is_implicit() && !table.is_dotted() {
                cuts.extend(joined(table.span(), last_value(table)));
            }
            for (name, _) in table.iter() {
                if let Some((key, item)) = table.get_key_value(name) {
                    collect(key.span(), item, cuts);
                }
            }
        }
        Item::ArrayOfTables(tables) => {
            for table in tables {
                collect(None, &Item::Table(table.clone()), cuts);
            }
        }
    }
}

/// Finds the last value under a table's own header.
fn last_value(table: &dyn TableLike) -> Option<Range<usize>> {
    table
        .iter()
        .filter_map(|(_, item)| match item {
            Item::Value(value) => value.span(),
            Item::Table(table) if table.is_dotted() => last_value(table),
            _ => None,
        })
        .max_by_key(|span| span.end)
}

/// Joins two ranges: from the start of the first to the end of the last.
fn joined(first: Option<Range<usize>>, last: Option<Range<usize>>) -> Option<Range<usize>> {
    match (first, last) {
        (Some(first), Some(last)) => Some(first.start..last.end),
        (first, last) => first.or(last),
    }
}

/// Extends the cuts to whole lines, sorts them, and merges those that touch.
fn merged(text: &str, mut cuts: Vec<Range<usize>>) -> Vec<Range<usize>> {
    cuts.sort_by_key(|cut| cut.start);
    let mut lines: Vec<Range<usize>> = Vec::new();
    for cut in cuts {
        let cut = without_double_blank(text, whole_lines(text, cut));
        match lines.last_mut() {
            Some(last) if cut.start <= last.end => last.end = last.end.max(cut.end),
            _ => lines.push(cut),
        }
    }
    lines
}

fn whole_lines(text: &str, cut: Range<usize>) -> Range<usize> {
    let before = text.get(..cut.start).unwrap_or("");
    let after = text.get(cut.end..).unwrap_or("");
    let mut start = before.rfind('\n').map_or(0, |at| at + 1);
    if start == 0 && text.starts_with('\u{feff}') {
        start = '\u{feff}'.len_utf8();
    }
    let end = after.find('\n').map_or(text.len(), |at| cut.end + at + 1);
    start..end
}

/// Extends the cut to the blank line before it, if the text ends after the cut or continues with a blank line.
fn without_double_blank(text: &str, cut: Range<usize>) -> Range<usize> {
    let before = text.get(..cut.start).unwrap_or("");
    let after = text.get(cut.end..).unwrap_or("");
    let blank = |text: &str| text.is_empty() || text.starts_with('\n') || text.starts_with("\r\n");
    if !blank(after) {
        return cut;
    }
    let line = ["\r\n", "\n"].into_iter().find(|end| {
        let above = before.strip_suffix(end);
        above.is_some_and(|above| above.ends_with('\n') || above.is_empty())
    });
    cut.start - line.map_or(0, str::len)..cut.end
}

// === impl EditError ===

impl fmt::Display for EditError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Invalid(faults) => {
                write!(
                    f,
                    "the configuration has faults, and is not changed before they are gone"
                )?;
                faults.iter().try_for_each(|fault| write!(f, "\n{fault}"))
            }
            Self::Conflict(name) => write!(f, "there is a profile {name} already"),
            Self::Unknown(name) => write!(f, "there is no profile {name}"),
            Self::Recipient => write!(
                f,
                "[encrypted-file] exists already: take it out, or write its recipient by hand"
            ),
            Self::Form(name) => write!(
                f,
                "the profile {name} cannot be changed here without changing what else is in the configuration: edit it by hand, as [profiles.{name}]"
            ),
        }
    }
}

impl std::error::Error for EditError {}
