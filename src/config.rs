//! The configuration: the profiles, the issuer of each profile, and how to reach it.
//!
//! Parsing is pure, and reports every fault with its place, not only the first. The configuration never holds a secret.
//!
//! This file lists the kinds of providers: a new provider is a file here, a variant of [`Provider`] and a row of
//! [`ProviderKind::ALL`]. The provider's own file defines its keys, its options and its address.

use ::url::Url;
use toml_edit::Value;

use self::kind::{Kind, ProviderConfig};
use self::reader::{Reader, Section};

mod allow;
mod document;
mod edit;
mod fault;
mod hosts;
mod kind;
mod lookup;
mod named;
pub mod oauth2;
mod profile;
mod proxy;
mod reader;
mod rotation;
pub mod runai;
mod set;
mod set_recipient;
mod setting;
mod sinks;
mod source;
mod span;
mod store;
mod url;

pub use allow::{Rule, SocketMode};
pub use document::{parse, parse_bytes};
pub use edit::{EditError, add_profile, remove_profile};
pub use fault::ConfigFault;
pub use hosts::{HostAuth, HostEntry, entry_for};
pub use kind::{AddressCandidate, InvalidOption, OptionValues};
pub use lookup::{LookupFailed, Names};
pub use named::{Name, ResolvedName, UnresolvedName, UnresolvedReason};
pub use oauth2::{Oauth2, TokenPurpose};
pub use profile::{ClientCertificate, Config, Profile};
pub use proxy::{Proxy, ProxyUrl};
pub use reader::key::{KeyDoc, KeyOption, OptionForm};
pub use reader::reference;
pub use rotation::{DEFAULT_GRACE, Rotation};
pub use runai::Runai;
pub use set::{set_client_auth, set_store};
pub use set_recipient::set_recipient;
pub use setting::ProviderSetting;
pub use sinks::{Account, Sink, Sinks};
pub use source::{ClientIdSource, CredentialLocation, ReadOnlySource, SecretSource};
pub use store::StoreKind;
pub use url::{BaseUrl, InvalidUrl, Origin};

/// The issuer of a profile's tokens.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Provider {
    /// NVIDIA Run:ai.
    Runai(Runai),
    /// Another OAuth 2.0 issuer.
    Oauth2(Box<Oauth2>),
}

/// The reference's entry for the key `provider`.
const PROVIDER: KeyDoc = KeyDoc {
    name: "provider",
    takes: "\"runai\" or \"oauth2\"",
    default: "",
    provider: "",
    about: "the kind of issuer: NVIDIA Run:ai, or another OAuth 2.0 issuer",
};

impl ProviderKind {
    /// Every kind, in the order in which they are offered.
    pub const ALL: &'static [Self] = &[
        Self::of::<Runai>(|reader, section| kind::read(reader, section).map(Provider::Runai)),
        Self::of::<Oauth2>(|reader, section| {
            kind::read(reader, section).map(|oauth2| Provider::Oauth2(Box::new(oauth2)))
        }),
    ];
}

impl Provider {
    const fn described(&self) -> (&'static str, &dyn ProviderConfig) {
        match self {
            Self::Runai(runai) => (Runai::NAME, runai),
            Self::Oauth2(oauth2) => (Oauth2::NAME, &**oauth2),
        }
    }
}

/// A kind of provider, before any profile is known: its names, its keys, and its options of `jetond add`.
#[derive(Debug)]
pub struct ProviderKind {
    /// The kind as the configuration spells it.
    pub name: &'static str,
    /// The heading of its options in the help of `jetond add`; empty if it has no options of its own.
    pub heading: &'static str,
    /// The options for its address, in a usage line.
    pub usage: &'static str,
    /// The options for its address, in a sentence that asks for them.
    pub needs: &'static str,
    /// The arguments of `jetond add` in an example.
    pub example: &'static str,
    /// A description, for a person who has to choose.
    pub title: &'static str,
    /// An example of its address, for a question.
    pub address: &'static str,
    instead_of_url: &'static str,
    docs: fn() -> Vec<KeyDoc>,
    options: fn() -> Vec<(KeyDoc, KeyOption)>,
    pasted: fn(&str) -> Result<Vec<AddressCandidate>, InvalidUrl>,
    check: fn(&mut Reader<'_>, &Section<'_>),
    read: fn(&mut Reader<'_>, &Section<'_>) -> Option<Provider>,
}

// === impl ProviderKind ===

impl ProviderKind {
    const fn of<K: Kind>(read: fn(&mut Reader<'_>, &Section<'_>) -> Option<Provider>) -> Self {
        Self {
            name: K::NAME,
            heading: K::HEADING,
            usage: K::USAGE,
            needs: K::NEEDS,
            example: K::EXAMPLE,
            title: K::TITLE,
            address: K::ADDRESS,
            instead_of_url: K::INSTEAD_OF_URL,
            docs: kind::docs::<K>,
            options: kind::options::<K>,
            pasted: K::pasted,
            check: kind::check::<K>,
            read,
        }
    }

    /// Finds the kind with this name.
    pub fn named(name: &str) -> Option<&'static Self> {
        Self::ALL.iter().find(|kind| kind.name == name)
    }

    /// Returns the reference's entries for its keys.
    fn docs(&self) -> Vec<KeyDoc> {
        (self.docs)()
    }

    /// Returns the options of `jetond add` that set its keys.
    pub fn options(&self) -> Vec<(KeyDoc, KeyOption)> {
        (self.options)()
    }

    /// Returns the addresses that a pasted text may stand for, the most likely first.
    ///
    /// # Errors
    /// [`InvalidUrl`] if the text stands for no address.
    pub fn pasted(&self, text: &str) -> Result<Vec<AddressCandidate>, InvalidUrl> {
        (self.pasted)(text)
    }

    /// Checks the values of this kind's keys in a profile of another kind, and reports faults.
    fn check(&self, reader: &mut Reader<'_>, section: &Section<'_>) {
        (self.check)(reader, section);
    }

    /// Reads a profile of this kind.
    fn read(&self, reader: &mut Reader<'_>, section: &Section<'_>) -> Option<Provider> {
        (self.read)(reader, section)
    }

    /// Checks the value of one option.
    ///
    /// # Errors
    /// [`InvalidOption`] if the value is not valid.
    pub fn check_option(
        &self,
        name: &'static str,
        form: OptionForm,
        text: &str,
    ) -> Result<(), InvalidOption> {
        if form == OptionForm::Pairs && !text.contains('=') {
            return Err(InvalidOption::NotAPair);
        }
        kind::take(&self.options(), &[(name, vec![text])], self.check)
            .map_err(InvalidOption::Refused)
    }

    /// Builds the provider that these settings describe; `None` if one of them is not a key of this kind.
    ///
    /// # Errors
    /// The faults of the settings: invalid and missing values.
    pub fn of_settings(
        &self,
        settings: &[(String, ProviderSetting)],
    ) -> Option<Result<Option<Provider>, Vec<ConfigFault>>> {
        let docs = self.docs();
        let known = settings.iter().map(|(name, setting)| {
            let doc = docs.iter().find(|doc| doc.name == name)?;
            Some((doc.name, setting.clone()))
        });
        let known: Vec<_> = known.collect::<Option<_>>()?;
        Some(kind::take_settings(&known, self.read))
    }

    /// Builds the provider that the options describe.
    ///
    /// # Errors
    /// The faults of the options: invalid and missing values.
    pub fn provider(&self, given: OptionValues<'_>) -> Result<Option<Provider>, Vec<ConfigFault>> {
        kind::take(&self.options(), given, self.read)
    }
}

// === impl Provider ===

impl Provider {
    /// Returns the kind in the configuration's spelling.
    pub const fn as_str(&self) -> &'static str {
        self.described().0
    }

    /// Returns the purpose of its tokens.
    pub fn purpose(&self) -> TokenPurpose {
        match self {
            Self::Runai(_) => TokenPurpose::default(),
            Self::Oauth2(oauth2) => oauth2.purpose(),
        }
    }

    /// Returns the configured address, for messages.
    pub fn url(&self) -> String {
        self.described().1.url()
    }

    /// Returns the origin of that address.
    pub fn origin(&self) -> Origin {
        self.described().1.origin()
    }

    /// Returns the whole address to which a credential is bound: the token endpoint, or for Run:ai the base address.
    /// `None` if the issuer's discovery document determines it.
    pub fn endpoint(&self) -> Option<Url> {
        self.described().1.endpoint()
    }

    /// Returns the identifier of the issuer whose discovery document determines where the secret is sent, as it is
    /// written; `None` if the configuration determines it.
    pub fn issuer(&self) -> Option<&str> {
        self.described().1.issuer()
    }

    /// Returns the URL to request when only checking whether the address can be reached.
    pub fn reached_at(&self) -> Url {
        self.described().1.reached_at()
    }

    /// Returns its keys with their values. Defaults are left out.
    pub fn settings(&self) -> Vec<(&'static str, ProviderSetting)> {
        let entries = self.entries().into_iter();
        // Every key of a provider has a value of a type that `ProviderSetting` knows.
        let settings =
            entries.filter_map(|(name, value)| Some((name, ProviderSetting::of(&value)?)));
        settings.collect()
    }

    fn entries(&self) -> Vec<(&'static str, Value)> {
        self.described().1.entries()
    }
}

#[cfg(test)]
mod tests;
