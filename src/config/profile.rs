//! A profile in the configuration, and the configuration of all of them.

use std::collections::BTreeMap;
use std::path::PathBuf;

use super::Provider;
use super::allow::{Rule, SocketMode};
use super::proxy::Proxy;
use super::store::StoreKind;
use super::url::Origin;
use crate::profile::ProfileName;
use crate::schedule::Reissue;

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
        self.provider.url()
    }

    /// Where the secret is sent; `None` where an issuer says it, who is asked when the credential is enrolled.
    pub fn origin(&self) -> Option<Origin> {
        match self.issuer() {
            None => Some(self.provider.origin()),
            Some(_) => None,
        }
    }

    /// The issuer that says where the secret is sent, as its identifier is written.
    pub fn issuer(&self) -> Option<&str> {
        self.provider.issuer()
    }

    /// What tells its issuer from others: the origin to which the secret is sent, else the address of the issuer that says
    /// it.
    pub fn site(&self) -> String {
        self.origin()
            .map_or_else(|| self.url(), |origin| origin.to_string())
    }

    /// How the issuer is reached in fact: a loopback address never through a proxy, since it would mean another
    /// machine there.
    pub fn proxy_in_use(&self) -> &Proxy {
        if self.provider.origin().is_loopback() {
            &Proxy::Direct
        } else {
            &self.proxy
        }
    }
}
