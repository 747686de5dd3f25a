//! Walking through the TOML by hand, so that every fault is found and has a place.

use std::ops::Range;

use toml_edit::{Document, Item, TableLike};

use super::keys::{Draft, Key, PROFILE, ProviderKind, SOCKET};
use super::{Config, ConfigFault, InvalidUrl, Profile, Provider};
use crate::profile::ProfileName;

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
pub(super) fn parse(text: &str) -> Result<Config, Vec<ConfigFault>> {
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
        faults: Vec::new(),
    };
    let mut config = Config::default();
    for field in fields("", document.as_table()) {
        match field.name {
            "socket" => {
                if let Some(table) = reader.table(&field) {
                    reader.keys(&field.path, table, SOCKET, &mut config.socket);
                }
            }
            "profiles" => {
                for field in reader
                    .table(&field)
                    .into_iter()
                    .flat_map(|t| fields("profiles", t))
                {
                    if let Some((name, profile)) = reader.profile(&field) {
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

    /// The text of a value.
    pub(super) fn text<'f>(&mut self, field: &Field<'f>) -> Option<&'f str> {
        let text = field.item.as_str();
        if text.is_none() {
            self.wrong_type(field, "a string");
        }
        text
    }

    /// The yes or no of a value.
    pub(super) fn flag(&mut self, field: &Field<'_>) -> Option<bool> {
        let flag = field.item.as_bool();
        if flag.is_none() {
            self.wrong_type(field, "true or false");
        }
        flag
    }

    /// One of these words; `known` are words that are refused for a reason of their own.
    pub(super) fn one_of<T: Copy>(
        &mut self,
        field: &Field<'_>,
        words: &[(&'static str, T)],
        known: &[(&'static str, &'static str)],
    ) -> Option<T> {
        let text = self.text(field)?;
        if let Some((_, value)) = words.iter().find(|(word, _)| *word == text) {
            return Some(*value);
        }
        let all: Vec<_> = words.iter().map(|(word, _)| *word).collect();
        let list: Vec<_> = all.iter().map(|word| format!("\"{word}\"")).collect();
        let list = list.join(", ");
        let (message, suggestion) = match known.iter().find(|(word, _)| *word == text) {
            Some((word, why)) => (format!("\"{word}\" {why}; it takes {list}"), None),
            None => (
                format!("it takes {list}"),
                nearest(text, &all).map(|word| format!("\"{word}\"")),
            ),
        };
        self.fault(field, message, suggestion);
        None
    }

    /// A value that has a parser of its own.
    pub(super) fn parsed<T>(
        &mut self,
        field: &Field<'_>,
        parse: impl Fn(&str) -> Result<T, InvalidUrl>,
    ) -> Option<T> {
        match parse(self.text(field)?) {
            Ok(value) => Some(value),
            Err(e) => {
                self.fault(field, e.message, e.suggestion);
                None
            }
        }
    }

    fn wrong_type(&mut self, field: &Field<'_>, wanted: &str) {
        let found = field.item.type_name();
        self.fault(
            field,
            format!("this must be {wanted}, and is of type {found}"),
            None,
        );
    }

    fn table<'f>(&mut self, field: &Field<'f>) -> Option<&'f dyn TableLike> {
        let table = field.item.as_table_like();
        if table.is_none() {
            self.wrong_type(field, &format!("a table, as [{}] begins one", field.path));
        }
        table
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

    fn profile(&mut self, field: &Field<'_>) -> Option<(ProfileName, Profile)> {
        let name = ProfileName::parse(field.name);
        if let Err(e) = name {
            self.fault_at(field.key, &field.path, e.to_string(), None);
        }
        let table = self.table(field)?;
        let mut draft = Draft::default();
        self.keys(&field.path, table, PROFILE, &mut draft);
        for key in PROFILE.iter().filter(|key| key.doc.default.is_empty()) {
            if !table.contains_key(key.doc.name) {
                let message = format!("{} is missing: {}", key.doc.name, key.doc.about);
                self.fault_at(field.value, &field.path, message, None);
            }
        }
        let provider = match draft.provider? {
            ProviderKind::Runai => Provider::Runai {
                url: draft.url?,
                api: draft.api,
            },
        };
        let profile = Profile {
            provider,
            store: draft.store,
            ca_file: draft.ca_file,
            proxy: draft.proxy,
            keep_warm: draft.keep_warm,
        };
        Some((name.ok()?, profile))
    }

    fn unknown(&mut self, field: &Field<'_>, known: &[&str]) {
        let name = field.name.to_lowercase().replace('_', "-");
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
