//! Walks through the TOML by hand, so that every fault is found and has a place.

use std::ops::Range;

use toml_edit::{Item, TableLike};

use super::fault::ConfigFault;
use super::lookup::Names;
use super::named::{ResolvedName, UnresolvedName};
use crate::address::Address;
use crate::spelling;

mod access;
pub(super) mod encrypted;
mod hosts;
pub(super) mod key;
mod misplaced;
mod profile;
mod sinks;
mod source;
mod values;

pub(super) use profile::ReadProfile;
pub use profile::reference;

/// The most faults, and the most names in doubt, that are reported at once. A person has to fix these first anyway.
const MAX_FAULTS: usize = 50;

/// A walk through one text, with the faults found so far.
pub(super) struct Reader<'a> {
    text: &'a str,
    names: &'a dyn Names,
    faults: Vec<PendingFault>,
    doubts: Vec<UnresolvedName>,
    /// The addresses of all profiles, to find equal ones.
    hosts: Vec<HostLocation>,
    /// The places of the profiles whose records are encrypted, each with its key.
    encrypted: Vec<(usize, String)>,
    /// Whether the text names the recipient of encrypted records.
    has_recipient: bool,
}

/// A fault whose line number is not computed yet.
struct PendingFault {
    at: usize,
    key: String,
    message: String,
    suggestion: Option<String>,
}

/// The address of a `hosts` entry, and its place.
struct HostLocation {
    at: usize,
    key: String,
    url: Address,
}

/// A key with its value.
pub(super) struct Field<'a> {
    /// The key as written.
    pub(super) name: &'a str,
    /// The key with its tables, as messages show it.
    path: String,
    /// The position of the key in the text.
    key: usize,
    /// The position of the value in the text.
    value: usize,
    item: &'a Item,
}

/// A table, and the key whose value it is.
pub(super) struct Section<'a> {
    pub(super) field: &'a Field<'a>,
    pub(super) table: &'a dyn TableLike,
}

/// Returns the entries of a table, with the path of each.
pub(super) fn fields<'a>(prefix: &str, table: &'a dyn TableLike) -> Vec<Field<'a>> {
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

/// Formats a key for a terminal; quoted as in TOML if it has a separator.
fn shown(name: &str) -> String {
    let bare = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == '-';
    if !name.is_empty() && name.chars().all(bare) {
        name.to_owned()
    } else {
        format!("\"{}\"", name.escape_debug())
    }
}

// === impl Field ===

impl<'a> Field<'a> {
    /// Wraps a value that is not part of a text.
    pub(super) const fn whole(item: &'a Item) -> Self {
        Self {
            name: "",
            path: String::new(),
            key: 0,
            value: 0,
            item,
        }
    }
}

// === impl Section ===

impl<'a> Section<'a> {
    /// Returns the entries of the table.
    pub(super) fn fields(&self) -> Vec<Field<'a>> {
        fields(&self.field.path, self.table)
    }

    /// Reports whether the table has this key.
    pub(super) fn has(&self, key: &str) -> bool {
        self.table.contains_key(key)
    }
}

// === impl Reader ===

impl<'a> Reader<'a> {
    /// Starts to read a text; `names` resolves its users and groups.
    pub(super) const fn new(text: &'a str, names: &'a dyn Names) -> Self {
        Self {
            text,
            names,
            faults: Vec::new(),
            doubts: Vec::new(),
            hosts: Vec::new(),
            encrypted: Vec::new(),
            has_recipient: false,
        }
    }

    /// Reports a fault of a value.
    pub(super) fn fault(
        &mut self,
        field: &Field<'_>,
        message: impl Into<String>,
        suggestion: Option<String>,
    ) {
        self.fault_at(field.value, &field.path, message, suggestion);
    }

    /// Notes a name whose number is in doubt, which is not a fault.
    fn doubt(&mut self, field: &Field<'_>, named: ResolvedName) {
        if self.doubts.len() == MAX_FAULTS {
            return;
        }
        let at = ConfigFault::at(self.text, field.value, &field.path, "");
        self.doubts.push(UnresolvedName {
            line: at.line,
            column: at.column,
            key: at.key,
            named,
        });
    }

    /// Takes the noted names.
    pub(super) fn take_doubts(&mut self) -> Vec<UnresolvedName> {
        std::mem::take(&mut self.doubts)
    }

    fn fault_at(
        &mut self,
        at: usize,
        key: &str,
        message: impl Into<String>,
        suggestion: Option<String>,
    ) {
        self.faults.push(PendingFault {
            at,
            key: key.to_owned(),
            message: message.into(),
            suggestion,
        });
    }

    /// Reports a key that is not in `known`.
    pub(super) fn unknown(&mut self, field: &Field<'_>, known: &[&str]) {
        let name = field.name.to_lowercase().replace('_', "-");
        let is_misspelt =
            known.contains(&name.as_str()) && !misplaced::may_be_secret(&name, field.item);
        if misplaced::SECRETS.contains(&name.as_str()) && !is_misspelt {
            self.fault_at(field.key, &field.path, misplaced::SECRET_IN_FILE, None);
            return;
        }
        if let Some(advice) = misplaced::advice(&name).filter(|_| known.contains(&"client-secret"))
        {
            self.fault_at(field.key, &field.path, advice, None);
            return;
        }
        let suggestion = spelling::nearest(&name, known.iter().copied()).map(str::to_owned);
        let message = match suggestion {
            Some(_) => "unknown key".to_owned(),
            None => format!("unknown key; known here are {}", known.join(", ")),
        };
        self.fault_at(field.key, &field.path, message, suggestion);
    }

    /// Returns the read value, or the faults.
    pub(super) fn finish<T>(mut self, read: T) -> Result<T, Vec<ConfigFault>> {
        if self.faults.is_empty() {
            return Ok(read);
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
