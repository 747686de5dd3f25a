//! What a kind of provider brings along: its keys, the options that set them, and what follows from them.

use std::fmt;

use ::url::Url;
use toml_edit::{Array, InlineTable, Item, Table, Value};

use super::allow::NotLookedUp;
use super::fault::ConfigFault;
use super::reader::key::{Key, KeyDoc, KeyOption, OptionForm};
use super::reader::{Field, Reader, Section};
use super::url::Origin;

/// A provider as a profile's configuration describes it.
pub(super) trait Described {
    /// The address that the configuration names, for people.
    fn url(&self) -> String;

    /// The origin of that address.
    fn origin(&self) -> Origin;

    /// The issuer that says where the secret is sent, as its identifier is written; `None` where the configuration does.
    fn issuer(&self) -> Option<&str> {
        None
    }

    /// What is asked for nothing but an answer, to see whether the address can be reached.
    fn reached_at(&self) -> Url {
        self.origin().join("")
    }

    /// Its entries in the configuration, the address first. What is the default is left out.
    fn entries(&self) -> Vec<(&'static str, Value)>;
}

/// A kind of provider.
pub(super) trait Kind: Described + Sized {
    /// As the configuration spells it.
    const NAME: &'static str;
    /// The keys that say its address, for a person who writes `url`; empty where that is one of them.
    const INSTEAD_OF_URL: &'static str;
    /// The heading of its options in the help of `jetond add`; empty for none of their own.
    const HEADING: &'static str;
    /// The options that say its address, in a usage line.
    const USAGE: &'static str;
    /// The same, in a sentence that asks for them.
    const NEEDS: &'static str;
    /// What follows `jetond add` in an example.
    const EXAMPLE: &'static str;
    /// Its keys.
    const KEYS: &'static [Key<Self::Draft>];
    /// What its keys are read into.
    type Draft: Default + 'static;

    /// What its keys say together, or faults.
    fn finish(draft: Self::Draft, reader: &mut Reader<'_>, section: &Section<'_>) -> Option<Self>;
}

/// What is given for the options of a provider, by name.
pub type Given<'a> = &'a [(&'static str, Vec<&'a str>)];

/// Why what is given for an option is refused.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum InvalidOption {
    /// Not `NAME=VALUE`.
    NotAPair,
    /// The configuration refuses it.
    Refused(Vec<ConfigFault>),
}

impl fmt::Display for InvalidOption {
    /// What is wrong first: where it is, the option says.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotAPair => f.write_str("this is not NAME=VALUE, such as tenant=acme"),
            Self::Refused(faults) => faults.first().map_or(Ok(()), |fault| fault.say(f)),
        }
    }
}

impl std::error::Error for InvalidOption {}

/// What the reference says of its keys.
pub(super) fn docs<K: Kind>() -> Vec<KeyDoc> {
    let of_kind = |key: &Key<_>| KeyDoc {
        provider: K::NAME,
        ..key.doc
    };
    K::KEYS.iter().map(of_kind).collect()
}

/// The options that set its keys.
pub(super) fn options<K: Kind>() -> Vec<(KeyDoc, KeyOption)> {
    let keys = K::KEYS.iter();
    keys.filter_map(|key| Some((key.doc, key.option?)))
        .collect()
}

/// Reports what is wrong with the values of its keys, in a profile that is another kind's.
pub(super) fn check<K: Kind>(reader: &mut Reader<'_>, section: &Section<'_>) {
    reader.some_keys(section, K::KEYS, &mut K::Draft::default());
}

/// Reads a profile of this kind.
pub(super) fn read<K: Kind>(reader: &mut Reader<'_>, section: &Section<'_>) -> Option<K> {
    let mut draft = K::Draft::default();
    reader.some_keys(section, K::KEYS, &mut draft);
    reader.missing(section, K::KEYS);
    K::finish(draft, reader, section)
}

/// Takes what is given for options as if the configuration said it.
///
/// # Errors
/// What is wrong with it.
pub(super) fn take<T>(
    options: &[(KeyDoc, KeyOption)],
    given: Given<'_>,
    read: impl FnOnce(&mut Reader<'_>, &Section<'_>) -> T,
) -> Result<T, Vec<ConfigFault>> {
    let mut table = Table::new();
    for (name, texts) in given {
        let option = options.iter().find(|(doc, _)| doc.name == *name);
        let value = option.and_then(|(_, option)| value(option.form, texts));
        if let Some(value) = value {
            table.insert(name, Item::Value(value));
        }
    }
    let item = Item::Table(table.clone());
    let field = Field::whole(&item);
    let mut reader = Reader::new("", &NotLookedUp);
    let taken = read(
        &mut reader,
        &Section {
            field: &field,
            table: &table,
        },
    );
    reader.finish(taken)
}

/// What the configuration would hold for these texts; `None` for none.
fn value(form: OptionForm, texts: &[&str]) -> Option<Value> {
    let first = *texts.first()?;
    Some(match form {
        OptionForm::Words(_) | OptionForm::Once => first.into(),
        OptionForm::Repeated => Array::from_iter(texts.iter().copied()).into(),
        OptionForm::Pairs => {
            let pairs = texts.iter().filter_map(|text| text.split_once('='));
            InlineTable::from_iter(pairs).into()
        }
    })
}
