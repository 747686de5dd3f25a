//! Walking through the TOML by hand, so that every fault is found and has a place.

use std::ops::Range;

use toml_edit::{Document, Item, TableLike};

use super::keys::Key;
use super::{Config, ConfigFault, Names};

mod access;
mod profile;
mod values;

/// What people call a secret: it must not be in this file, whatever they call it.
const SECRETS: &[&str] = &[
    "access-key",
    "access-token",
    "api-key",
    "app-id",
    "app-secret",
    "client-id",
    "client-secret",
    "password",
    "secret",
    "token",
];

/// The most faults that are told at once: who has more begins with these.
const MAX_FAULTS: usize = 50;

/// The faults found so far, in a text.
pub(super) struct Reader<'a> {
    text: &'a str,
    names: &'a dyn Names,
    faults: Vec<Found>,
}

/// A fault whose line is not counted yet.
struct Found {
    at: usize,
    key: String,
    message: String,
    suggestion: Option<String>,
}

/// A key with its value.
pub(super) struct Field<'a> {
    /// The key as it is.
    name: &'a str,
    /// The key with its tables, as it is shown.
    path: String,
    /// Where the key is.
    key: usize,
    /// Where the value is.
    value: usize,
    item: &'a Item,
}

/// As `super::parse`.
pub(super) fn parse(text: &str, names: &dyn Names) -> Result<Config, Vec<ConfigFault>> {
    let document = Document::parse(text).map_err(|e| {
        let at = e.span().map_or(0, |span| span.start);
        let message = match e.message() {
            "duplicate key" => {
                "this name is there twice: put both together under one, or remove one"
            }
            message => message,
        };
        vec![ConfigFault::at(text, at, "", message)]
    })?;
    let mut reader = Reader {
        text,
        names,
        faults: Vec::new(),
    };
    let mut config = Config::default();
    for field in fields("", document.as_table()) {
        match field.name {
            "socket" => {
                if let Some(mode) = reader.socket(&field) {
                    config.socket = mode;
                }
            }
            "profiles" => {
                for field in reader
                    .table(&field)
                    .into_iter()
                    .flat_map(|t| fields("profiles", t))
                {
                    if let Some((name, profile, rules)) = reader.profile(&field) {
                        if !rules.is_empty() {
                            config.allow.insert(name.clone(), rules);
                        }
                        config.profiles.insert(name, profile);
                    }
                }
            }
            _ => reader.unknown(&field, &["profiles", "socket"]),
        }
    }
    reader.finish(config)
}

/// The entries of a table, with the path of each.
fn fields<'a>(prefix: &str, table: &'a dyn TableLike) -> Vec<Field<'a>> {
    table
        .iter()
        .filter_map(|(name, _)| table.get_key_value(name))
        .map(|(key, item)| {
            let name = shown(key.get());
            let start = |span: Option<Range<usize>>| span.map(|span| span.start);
            let at = start(key.span()).unwrap_or(0);
            let path = if prefix.is_empty() {
                name
            } else {
                format!("{prefix}.{name}")
            };
            Field {
                name: key.get(),
                path,
                key: at,
                value: start(item.span()).unwrap_or(at),
                item,
            }
        })
        .collect()
}

/// A key as it can be shown on a terminal, and with a separator in it quoted as TOML would have it.
fn shown(name: &str) -> String {
    let bare = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == '-';
    if !name.is_empty() && name.chars().all(bare) {
        name.to_owned()
    } else {
        format!("\"{}\"", name.escape_debug())
    }
}

// === impl Reader ===

impl<'a> Reader<'a> {
    /// Reports a fault of a value.
    pub(super) fn fault(
        &mut self,
        field: &Field<'_>,
        message: impl Into<String>,
        suggestion: Option<String>,
    ) {
        self.fault_at(field.value, &field.path, message, suggestion);
    }

    fn fault_at(
        &mut self,
        at: usize,
        key: &str,
        message: impl Into<String>,
        suggestion: Option<String>,
    ) {
        self.faults.push(Found {
            at,
            key: key.to_owned(),
            message: message.into(),
            suggestion,
        });
    }

    /// Reads a table by its keys.
    fn keys<D>(&mut self, path: &str, table: &dyn TableLike, keys: &[Key<D>], draft: &mut D) {
        for field in fields(path, table) {
            match keys.iter().find(|key| key.doc.name == field.name) {
                Some(key) => (key.read)(self, &field, draft),
                None => {
                    let names: Vec<_> = keys.iter().map(|key| key.doc.name).collect();
                    self.unknown(&field, &names);
                }
            }
        }
    }

    fn unknown(&mut self, field: &Field<'_>, known: &[&str]) {
        let name = field.name.to_lowercase().replace('_', "-");
        let source = ["client-id", "client-secret"].contains(&name.as_str());
        if source && !field.item.is_str() {
            let message = "a source of the credential is not supported in this version: remove it, and let `jetond add` ask for the credential and store it";
            self.fault_at(field.key, &field.path, message, None);
            return;
        }
        if SECRETS.contains(&name.as_str()) {
            let message = "this file never holds a credential: remove it, and let `jetond add` ask for it and store it";
            self.fault_at(field.key, &field.path, message, None);
            return;
        }
        let suggestion = nearest(&name, known).map(str::to_owned);
        let message = match suggestion {
            Some(_) => "unknown key".to_owned(),
            None => format!("unknown key; known here are {}", known.join(", ")),
        };
        self.fault_at(field.key, &field.path, message, suggestion);
    }

    fn finish(mut self, config: Config) -> Result<Config, Vec<ConfigFault>> {
        if self.faults.is_empty() {
            return Ok(config);
        }
        self.faults.sort_by_key(|found| found.at);
        let more = self.faults.split_off(self.faults.len().min(MAX_FAULTS));
        let mut faults: Vec<_> = self
            .faults
            .into_iter()
            .map(|f| ConfigFault::at(self.text, f.at, &f.key, f.message).suggest(f.suggestion))
            .collect();
        if let Some(next) = more.first() {
            let message = format!("and {} more faults from here on", more.len());
            faults.push(ConfigFault::at(self.text, next.at, "", message));
        }
        Err(faults)
    }
}

/// The word that was probably meant: a third of its letters may be wrong.
fn nearest<'k>(text: &str, known: &[&'k str]) -> Option<&'k str> {
    known
        .iter()
        .map(|word| (strsim::osa_distance(text, word), *word))
        .filter(|(distance, word)| *distance <= (word.len() / 3).max(1))
        .min()
        .map(|(_, word)| word)
}
