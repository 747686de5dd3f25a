//! The interface of a kind of provider: its keys, the options that set them, and what it derives from them.

use std::fmt;

use ::url::Url;
use toml_edit::{Array, InlineTable, Item, Table, Value};

use super::fault::ConfigFault;
use super::lookup::FixedNames;
use super::reader::key::{Key, KeyDoc, KeyOption, OptionForm};
use super::reader::{Field, Reader, Section};
use super::setting::ProviderSetting;
use super::url::{InvalidUrl, Origin};

/// A provider in a profile's configuration.
pub(super) trait ProviderConfig {
    /// Returns the configured address, for messages.
    fn url(&self) -> String;

    /// Returns the origin of that address.
    fn origin(&self) -> Origin;

    /// Returns the whole address to which a credential is bound: the token endpoint, or the address below which the
    /// provider has its endpoints. `None` if the issuer's discovery document determines it.
    fn endpoint(&self) -> Option<Url>;

    /// Returns the identifier of the issuer whose discovery document determines where the secret is sent, as it is
    /// written; `None` if the configuration determines it.
    fn issuer(&self) -> Option<&str> {
        None
    }

    /// Returns the URL to request when only checking whether the address can be reached.
    fn reached_at(&self) -> Url {
        self.origin().join("")
    }

    /// Returns its entries in the configuration, the address first. Defaults are left out.
    fn entries(&self) -> Vec<(&'static str, Value)>;
}

/// A kind of provider.
pub(super) trait Kind: ProviderConfig + Sized {
    /// Its name in the configuration.
    const NAME: &'static str;
    /// The keys for its address, to suggest to a user who writes `url`; empty if `url` is one of them.
    const INSTEAD_OF_URL: &'static str;
    /// The heading of its options in the help of `jetond add`; empty if it has no options of its own.
    const HEADING: &'static str;
    /// The options for its address, in a usage line.
    const USAGE: &'static str;
    /// The options for its address, in a sentence that asks for them.
    const NEEDS: &'static str;
    /// The arguments of `jetond add` in an example.
    const EXAMPLE: &'static str;
    /// A description, for a person who has to choose.
    const TITLE: &'static str;
    /// An example of its address, for a question.
    const ADDRESS: &'static str;
    /// Its keys.
    const KEYS: &'static [Key<Self::Draft>];
    /// The values of its keys while they are read.
    type Draft: Default + 'static;

    /// Returns the addresses that a pasted text may stand for, the most likely first.
    ///
    /// # Errors
    /// [`InvalidUrl`] if the text stands for no address.
    fn pasted(text: &str) -> Result<Vec<AddressCandidate>, InvalidUrl>;

    /// Makes a provider from the values of its keys, or reports faults.
    fn finish(draft: Self::Draft, reader: &mut Reader<'_>, section: &Section<'_>) -> Option<Self>;
}

/// One address that a pasted text may stand for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AddressCandidate {
    /// The option of `jetond add` that sets it.
    pub option: &'static str,
    /// The address.
    pub value: String,
}

/// The values given for the options of a provider, by option name.
pub type OptionValues<'a> = &'a [(&'static str, Vec<&'a str>)];

/// The reason why the value of an option is refused.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum InvalidOption {
    /// It is not `NAME=VALUE`.
    NotAPair,
    /// The configuration refuses it.
    Refused(Vec<ConfigFault>),
}

impl fmt::Display for InvalidOption {
    /// Writes only what is wrong: the option itself shows the place.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotAPair => f.write_str("this is not NAME=VALUE, such as tenant=acme"),
            Self::Refused(faults) => faults.first().map_or(Ok(()), |fault| fault.say(f)),
        }
    }
}

impl std::error::Error for InvalidOption {}

/// Returns the reference's entries for its keys.
pub(super) fn docs<K: Kind>() -> Vec<KeyDoc> {
    let of_kind = |key: &Key<_>| KeyDoc {
        provider: K::NAME,
        ..key.doc
    };
    K::KEYS.iter().map(of_kind).collect()
}

/// Returns the options that set its keys.
pub(super) fn options<K: Kind>() -> Vec<(KeyDoc, KeyOption)> {
    let keys = K::KEYS.iter();
    keys.filter_map(|key| Some((key.doc, key.option?)))
        .collect()
}

/// Checks the values of this kind's keys in a profile of another kind, and reports faults.
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

/// Reads the values of options as if they were written in the configuration.
///
/// # Errors
/// Every fault in them.
pub(super) fn take<T>(
    options: &[(KeyDoc, KeyOption)],
    given: OptionValues<'_>,
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
    take_table(&table, read)
}

fn take_table<T>(
    table: &Table,
    read: impl FnOnce(&mut Reader<'_>, &Section<'_>) -> T,
) -> Result<T, Vec<ConfigFault>> {
    let item = Item::Table(table.clone());
    let field = Field::whole(&item);
    let mut reader = Reader::new("", &FixedNames);
    let taken = read(
        &mut reader,
        &Section {
            field: &field,
            table,
        },
    );
    reader.finish(taken)
}

/// Reads the values of keys as if they were written in the configuration.
///
/// # Errors
/// Every fault in them.
pub(super) fn take_settings<T>(
    given: &[(&'static str, ProviderSetting)],
    read: impl FnOnce(&mut Reader<'_>, &Section<'_>) -> T,
) -> Result<T, Vec<ConfigFault>> {
    let entries = given.iter();
    let entries = entries.map(|(name, setting)| (*name, Item::Value(setting.to_value())));
    take_table(&entries.collect(), read)
}

/// Converts option values to the configuration's value; `None` without a value.
fn value(form: OptionForm, texts: &[&str]) -> Option<Value> {
    let first = *texts.first()?;
    Some(match form {
        OptionForm::Flag => true.into(),
        OptionForm::Words(_) | OptionForm::Once => first.into(),
        OptionForm::Repeated => Array::from_iter(texts.iter().copied()).into(),
        OptionForm::Pairs => {
            let pairs = texts.iter().filter_map(|text| text.split_once('='));
            InlineTable::from_iter(pairs).into()
        }
    })
}
