//! The keys of a table: the reference's entry for each, how to read it, and the option that sets it.

use toml_edit::TableLike;

use super::{Field, Reader, Section, fields};

/// The reference's entry for a key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct KeyDoc {
    /// The key.
    pub name: &'static str,
    /// The values that the key accepts.
    pub takes: &'static str,
    /// The default; empty if the key is required.
    pub default: &'static str,
    /// The provider that the key belongs to; empty if it applies to every provider.
    pub provider: &'static str,
    /// The purpose of the key, in a sentence.
    pub about: &'static str,
}

/// The option of `jetond add` that sets a key: `--` and the key's name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct KeyOption {
    /// How often the option can be given, and what value it takes.
    pub form: OptionForm,
    /// The placeholder for its value in the usage.
    pub value: &'static str,
    /// The purpose of the option, for the help.
    pub help: &'static str,
    /// Another option of the same provider that excludes this one; empty if there is none.
    pub excludes: &'static str,
}

/// The form of an option: how often it can be given, and what value it takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OptionForm {
    /// Once, without a value: it sets true.
    Flag,
    /// Once, with one of these words.
    Words(&'static [&'static str]),
    /// Once, with a text.
    Once,
    /// Any number of times, with a text.
    Repeated,
    /// Any number of times, with `NAME=VALUE`.
    Pairs,
}

/// A key of a table that is read into `D`.
pub(in crate::config) struct Key<D: 'static> {
    pub(in crate::config) doc: KeyDoc,
    pub(in crate::config) option: Option<KeyOption>,
    read: fn(&mut Reader<'_>, &Field<'_>, &mut D),
}

pub(in crate::config) const fn key<D>(
    name: &'static str,
    takes: &'static str,
    default: &'static str,
    about: &'static str,
    read: fn(&mut Reader<'_>, &Field<'_>, &mut D),
) -> Key<D> {
    let doc = KeyDoc {
        name,
        takes,
        default,
        provider: "",
        about,
    };
    Key {
        doc,
        option: None,
        read,
    }
}

/// Sets the value; after a fault, which has been reported, the default stays.
pub(in crate::config) fn set<T>(place: &mut T, value: Option<T>) {
    if let Some(value) = value {
        *place = value;
    }
}

// === impl Key ===

impl<D> Key<D> {
    /// Adds an option that sets the key.
    pub(in crate::config) const fn option(
        mut self,
        form: OptionForm,
        value: &'static str,
        help: &'static str,
    ) -> Self {
        self.option = Some(KeyOption {
            form,
            value,
            help,
            excludes: "",
        });
        self
    }

    /// Declares that the key's option excludes another one.
    pub(in crate::config) const fn excludes(mut self, other: &'static str) -> Self {
        if let Some(option) = &mut self.option {
            option.excludes = other;
        }
        self
    }
}

// === impl Reader ===

impl Reader<'_> {
    /// Reads a table by its keys, and reports every other key.
    pub(in crate::config) fn keys<D>(
        &mut self,
        path: &str,
        table: &dyn TableLike,
        keys: &[Key<D>],
        draft: &mut D,
    ) {
        let names: Vec<_> = keys.iter().map(|key| key.doc.name).collect();
        for field in fields(path, table) {
            match keys.iter().find(|key| key.doc.name == field.name) {
                Some(key) => (key.read)(self, &field, draft),
                None => self.unknown(&field, &names),
            }
        }
    }

    /// Reads the entries of a table that have one of these keys.
    pub(in crate::config) fn some_keys<D>(
        &mut self,
        section: &Section<'_>,
        keys: &[Key<D>],
        draft: &mut D,
    ) {
        for field in section.fields() {
            if let Some(key) = keys.iter().find(|key| key.doc.name == field.name) {
                (key.read)(self, &field, draft);
            }
        }
    }

    /// Reports the required keys that are missing.
    pub(in crate::config) fn missing<D>(&mut self, section: &Section<'_>, keys: &[Key<D>]) {
        let needed = |doc: &KeyDoc| doc.default.is_empty() && !section.has(doc.name);
        for KeyDoc { name, about, .. } in keys.iter().map(|key| key.doc).filter(needed) {
            self.fault(section.field, format!("{name} is missing: {about}"), None);
        }
    }

    /// Reads a table that has keys of its own.
    pub(in crate::config) fn table_of<D>(
        &mut self,
        field: &Field<'_>,
        keys: &[Key<D>],
        draft: &mut D,
    ) {
        if let Some(table) = self.table(field) {
            self.keys(&field.path, table, keys, draft);
            self.missing(&Section { field, table }, keys);
        }
    }
}
