//! The configuration: which profiles there are, where each one's issuer is, and how it is reached.
//!
//! Parsing is pure and tells every fault with its place, not only the first. The configuration never holds a secret.

use std::collections::BTreeMap;
use std::path::PathBuf;

use crate::profile::ProfileName;
use crate::schedule::Reissue;

mod allow;
mod edit;
mod fault;
mod keys;
pub mod oauth2;
mod reader;
mod url;

pub use allow::{Names, Rule, SocketMode};
pub use edit::{EditError, add_profile, remove_profile};
pub use fault::ConfigFault;
pub use keys::{KeyDoc, reference};
pub use oauth2::Oauth2;
pub use url::{BaseUrl, InvalidUrl, ProxyUrl};

/// A configuration without faults.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Config {
    /// The profiles by name.
    pub profiles: BTreeMap<ProfileName, Profile>,
    /// Who may use each profile beside our own user and root. They are apart from the profiles, since a profile needs
    /// no other token when somebody else may use it.
    pub allow: BTreeMap<ProfileName, Vec<Rule>>,
    /// Who can connect to the token socket.
    pub socket: SocketMode,
}

/// What one can ask a token for. Two that are equal need the same token: a reload keeps it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Profile {
    /// Who issues its tokens.
    pub provider: Provider,
    /// Where its credential is.
    pub store: StoreKind,
    /// The certificates to trust, and no others; `None` means the system's.
    pub ca_file: Option<PathBuf>,
    /// How the issuer is reached. A loopback address is reached directly whatever this says; see
    /// [`Profile::proxy_in_use`].
    pub proxy: Proxy,
    /// The certificate to show to the issuer, if any.
    pub client_certificate: Option<ClientCertificate>,
    /// Whether it is refreshed although nobody asks for it.
    pub keep_warm: bool,
    /// What the issuer does that is asked while its last token holds.
    pub reissue: Reissue,
}

/// A client certificate (mutual TLS) in PEM form.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ClientCertificate {
    /// The certificate's file.
    pub cert: PathBuf,
    /// The file of its key.
    pub key: PathBuf,
}

/// Who issues a profile's tokens.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Provider {
    /// NVIDIA Run:ai.
    Runai {
        /// The control plane.
        url: BaseUrl,
        /// Which API gives the token.
        api: Api,
    },
    /// Another OAuth 2.0 issuer.
    Oauth2(Box<Oauth2>),
}

/// Which of Run:ai's APIs gives the token.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Api {
    /// The newest one that the control plane has.
    #[default]
    Auto,
    /// `/api/v2/token`.
    V2,
    /// `/api/v1/token`.
    V1,
}

/// Where credentials are kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub enum StoreKind {
    /// A file of mode 0600 in the state folder.
    #[default]
    File,
    /// An entry of the OS keyring.
    Keyring,
}

/// How an issuer is reached.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum Proxy {
    /// Directly, whatever the environment says: the secret goes to no proxy unasked.
    #[default]
    Direct,
    /// Through the proxy that `HTTPS_PROXY` names.
    Environment,
    /// Through this one.
    Http(ProxyUrl),
}

/// Reads a configuration; `names` knows the users and groups in it.
///
/// # Errors
/// Every fault in it, ordered by place; when it is not TOML, the first place where it is not.
pub fn parse(text: &str, names: &dyn Names) -> Result<Config, Vec<ConfigFault>> {
    reader::parse(text, names)
}

/// Reads a configuration of bytes that may not be UTF-8.
///
/// # Errors
/// As [`parse`]; the first byte that is not UTF-8 is a fault at its place.
pub fn parse_bytes(bytes: &[u8], names: &dyn Names) -> Result<Config, Vec<ConfigFault>> {
    match std::str::from_utf8(bytes) {
        Ok(text) => parse(text, names),
        Err(e) => Err(vec![ConfigFault::not_utf8(bytes, e.valid_up_to())]),
    }
}

// === impl Config ===

impl Config {
    /// Whether there is no profile yet: a daemon runs all the same, and says how to add one.
    pub fn is_empty(&self) -> bool {
        self.profiles.is_empty()
    }

    /// The rules of who may use a profile.
    pub fn rules(&self, profile: &ProfileName) -> &[Rule] {
        self.allow.get(profile).map_or(&[], Vec::as_slice)
    }
}

// === impl Profile ===

impl Profile {
    /// The address that the configuration names, for people.
    pub fn url(&self) -> String {
        match &self.provider {
            Provider::Runai { url, .. } => url.to_string(),
            Provider::Oauth2(oauth2) => oauth2.at.url().to_string(),
        }
    }

    /// `scheme://host[:port]` of where the secret is sent; `None` where an issuer says it, who is asked when the
    /// credential is enrolled.
    pub fn origin(&self) -> Option<String> {
        match &self.provider {
            Provider::Runai { url, .. } => Some(url.origin()),
            Provider::Oauth2(oauth2) => match &oauth2.at {
                oauth2::At::Token(url) => Some(url.origin()),
                oauth2::At::Issuer(_) => None,
            },
        }
    }

    /// The issuer that says where the secret is sent, as its identifier is written.
    pub fn issuer(&self) -> Option<&str> {
        match &self.provider {
            Provider::Runai { .. } => None,
            Provider::Oauth2(oauth2) => match &oauth2.at {
                oauth2::At::Token(_) => None,
                oauth2::At::Issuer(url) => Some(url.as_str()),
            },
        }
    }

    /// Whether the issuer is at a loopback address, which is reached directly always.
    pub fn is_loopback(&self) -> bool {
        match &self.provider {
            Provider::Runai { url, .. } => url.is_loopback(),
            Provider::Oauth2(oauth2) => oauth2.at.url().is_loopback(),
        }
    }

    /// How the issuer is reached in fact: a loopback address never through a proxy, since it would mean another
    /// machine there.
    pub fn proxy_in_use(&self) -> &Proxy {
        if self.is_loopback() {
            &Proxy::Direct
        } else {
            &self.proxy
        }
    }
}

// === impl Provider ===

impl Provider {
    /// The provider as the configuration spells it.
    pub const fn as_str(&self) -> &'static str {
        match self {
            Self::Runai { .. } => "runai",
            Self::Oauth2(_) => "oauth2",
        }
    }
}

// === impl Api ===

impl Api {
    /// The API as the configuration spells it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Auto => "auto",
            Self::V2 => "v2",
            Self::V1 => "v1",
        }
    }
}

// === impl StoreKind ===

impl StoreKind {
    /// The store as the configuration spells it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::File => "file",
            Self::Keyring => "keyring",
        }
    }
}

// === impl Proxy ===

impl Proxy {
    /// The proxy as the configuration spells it; `None` for none.
    pub fn as_str(&self) -> Option<&str> {
        match self {
            Self::Direct => None,
            Self::Environment => Some("environment"),
            Self::Http(url) => Some(url.as_str()),
        }
    }

    /// Reads what the configuration or a person says.
    ///
    /// # Errors
    /// [`InvalidUrl`] when it is neither `environment` nor the address of an HTTP proxy.
    pub fn parse(text: &str) -> Result<Self, InvalidUrl> {
        if text == "environment" {
            Ok(Self::Environment)
        } else {
            ProxyUrl::parse(text).map(Self::Http)
        }
    }
}

#[cfg(test)]
mod tests;
