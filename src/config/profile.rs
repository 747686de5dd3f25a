//! A profile in the configuration, and the configuration as a whole.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::time::Duration;

use ::url::Url;

use super::Provider;
use super::allow::{Rule, SocketMode};
use super::hosts::HostEntry;
use super::lookup::Names;
use super::named::{Name, ResolvedName, UnresolvedName};
use super::proxy::Proxy;
use super::rotation::Rotation;
use super::sinks::{Sink, Sinks};
use super::source::{CredentialLocation, ReadOnlySource};
use super::store::StoreKind;
use super::url::Origin;
use crate::age_file::Recipient;
use crate::profile::ProfileName;
use crate::schedule::Reissue;

/// A configuration without faults.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Config {
    /// The profiles by name.
    pub profiles: BTreeMap<ProfileName, Profile>,
    /// Who may use each profile besides our own user and root. Kept apart from the profiles, since a change of these
    /// rules does not require another token.
    pub allow: BTreeMap<ProfileName, Vec<Rule>>,
    /// The addresses that the tokens of each profile are for. Kept apart from the profiles for the same reason.
    pub hosts: BTreeMap<ProfileName, Vec<HostEntry>>,
    /// The files that the token of each profile is written to. Kept apart from the profiles for the same reason.
    pub sinks: Sinks,
    /// Who can connect to the token socket; private while its group has no number.
    pub socket: SocketMode,
    /// The group of the token socket, if the configuration gives it by name.
    pub socket_group: Option<ResolvedName>,
    /// The recipient to which the store of encrypted files encrypts its records.
    pub recipient: Option<Recipient>,
    /// The first names whose numbers were in doubt when the configuration was read, in the order of the text.
    pub doubts: Vec<UnresolvedName>,
}

/// A profile's settings. Two equal profiles need the same token, so a reload keeps it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Profile {
    /// The issuer of its tokens.
    pub provider: Provider,
    /// Where its credential comes from.
    pub credential: CredentialLocation,
    /// The only certificates to trust; `None` means the system's.
    pub ca_file: Option<PathBuf>,
    /// How to reach the issuer. A loopback address is always reached directly; see [`Profile::proxy_in_use`].
    pub proxy: Proxy,
    /// The certificate that authenticates the client to the issuer, if any.
    pub client_certificate: Option<ClientCertificate>,
    /// Whether its token is refreshed even without requests for it.
    pub keep_warm: bool,
    /// How the issuer handles a token request while the last token is still valid.
    pub reissue: Reissue,
    /// The lifetime of its tokens, which replaces the one that the issuer states.
    pub lifetime: Option<Duration>,
    /// The settings for the rotation of its key.
    pub rotation: Rotation,
}

/// A client certificate (mutual TLS) in PEM form.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ClientCertificate {
    /// The certificate's file.
    pub cert: PathBuf,
    /// The file of its private key.
    pub key: PathBuf,
}

// === impl Config ===

impl Config {
    /// Reports whether there is no profile yet. A daemon still runs, and explains how to add one.
    pub fn is_empty(&self) -> bool {
        self.profiles.is_empty()
    }

    /// Returns the rules that say who may use a profile.
    pub fn rules(&self, profile: &ProfileName) -> &[Rule] {
        self.allow.get(profile).map_or(&[], Vec::as_slice)
    }

    /// Returns the addresses that the tokens of a profile are for.
    pub fn hosts(&self, profile: &ProfileName) -> &[HostEntry] {
        self.hosts.get(profile).map_or(&[], Vec::as_slice)
    }

    /// Returns the files that the token of a profile is written to.
    pub fn sinks(&self, profile: &ProfileName) -> &[Sink] {
        self.sinks.get(profile).map_or(&[], Vec::as_slice)
    }

    /// Returns all users and groups that it gives by name, with their numbers in force.
    pub fn named(&self) -> impl Iterator<Item = &ResolvedName> {
        let rules = self.allow.values().flatten().filter_map(Rule::named);
        let sinks = self.sinks.values().flatten().flat_map(Sink::named);
        rules.chain(sinks).chain(&self.socket_group)
    }

    /// Returns the names to look up, each once.
    pub fn names(&self) -> BTreeSet<Name> {
        self.named().map(|named| named.name().clone()).collect()
    }

    /// Reports whether the last look-up returned a number for every name.
    pub fn knows_all_names(&self) -> bool {
        self.named().all(|named| named.doubt().is_none())
    }

    /// Reports whether the token socket cannot have its mode yet, because its group has no number.
    pub fn waits_for_group(&self) -> bool {
        let group = self.socket_group.as_ref();
        group.is_some_and(|named| named.id().is_none())
    }

    /// Returns the group of the token socket, if its number was in doubt when the configuration was read.
    pub fn group_in_doubt(&self) -> Option<&UnresolvedName> {
        self.doubts.iter().find(|doubtful| doubtful.is_of_socket())
    }

    /// Looks all names up again. A name that the machine does not know loses its number; when the look-up fails, the
    /// number in force stays.
    pub fn look_up(&mut self, names: &dyn Names) {
        self.renumber(|named| named.look_up_again(names));
    }

    /// Keeps the numbers that are in force in `before` for the same names, wherever the look-up failed.
    pub fn keep_numbers_of(&mut self, before: &Self) {
        let in_force: BTreeMap<_, _> = before.named().map(|named| (named.name(), named)).collect();
        let keep = |named: &mut ResolvedName| {
            if let Some(before) = in_force.get(named.name()) {
                named.keep_number_of(before);
            }
        };
        self.renumber(keep);
    }

    fn renumber(&mut self, mut change: impl FnMut(&mut ResolvedName)) {
        let rules = self.allow.values_mut().flatten();
        rules.filter_map(Rule::named_mut).for_each(&mut change);
        let sinks = self.sinks.values_mut().flatten();
        sinks.flat_map(Sink::named_mut).for_each(&mut change);
        self.doubts
            .iter_mut()
            .for_each(|doubtful| change(&mut doubtful.named));
        if let Some(named) = &mut self.socket_group {
            change(named);
            self.socket = SocketMode::of_group(named);
        }
    }
}

// === impl Profile ===

impl Profile {
    /// Reports whether both profiles get their tokens in the same way. They may differ in when a token is requested, in
    /// when the key is rotated, and in which store keeps the credential.
    pub fn has_the_source_of(&self, other: &Self) -> bool {
        let alike = |other: &Self| {
            let (keep_warm, reissue) = (self.keep_warm, self.reissue);
            *self
                == Self {
                    keep_warm,
                    reissue,
                    rotation: self.rotation.clone(),
                    credential: match (self.store(), other.store()) {
                        (Some(_), Some(_)) => self.credential.clone(),
                        _ => other.credential.clone(),
                    },
                    ..other.clone()
                }
        };
        self == other || alike(other)
    }

    /// Reports whether the issuer revokes a client's old token with each new one, so that only one daemon can use the
    /// client.
    pub fn kills_old(&self) -> bool {
        self.reissue == Reissue::KillsOld
    }

    /// Returns the store of its credential; `None` if Jeton only reads it from a source.
    pub const fn store(&self) -> Option<&StoreKind> {
        self.credential.store()
    }

    /// Reports whether its secret comes from a command.
    pub fn has_command(&self) -> bool {
        let source = self.credential.source();
        source.is_some_and(ReadOnlySource::is_command)
    }

    /// Returns the configured address, for messages.
    pub fn url(&self) -> String {
        self.provider.url()
    }

    /// Returns the origin to which the secret is sent; `None` if the issuer's discovery document determines it, which
    /// is read at enrolment.
    pub fn origin(&self) -> Option<Origin> {
        match self.issuer() {
            None => Some(self.provider.origin()),
            Some(_) => None,
        }
    }

    /// Returns the whole address to which its credential is bound: the token endpoint, or for Run:ai the base address.
    /// `None` if the issuer's discovery document determines it, which is read at enrolment.
    pub fn endpoint(&self) -> Option<Url> {
        self.provider.endpoint()
    }

    /// Returns the identifier of the issuer whose discovery document determines where the secret is sent, as it is
    /// written.
    pub fn issuer(&self) -> Option<&str> {
        self.provider.issuer()
    }

    /// Identifies its issuer: the origin to which the secret is sent, or else the address of the issuer whose discovery
    /// document determines it.
    pub fn site(&self) -> String {
        self.origin()
            .map_or_else(|| self.url(), |origin| origin.to_string())
    }

    /// Returns the proxy that is actually used. A loopback address has none: at the proxy it would mean another
    /// machine.
    pub fn proxy_in_use(&self) -> &Proxy {
        if self.provider.origin().is_loopback() {
            &Proxy::Direct
        } else {
            &self.proxy
        }
    }
}
