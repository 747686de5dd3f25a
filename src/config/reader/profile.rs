//! Reads a profile: its provider decides which keys it needs and which it may have.

use std::path::PathBuf;
use std::time::Duration;

use super::super::allow::Rule;
use super::super::hosts::HostEntry;
use super::super::profile::{ClientCertificate, Profile};
use super::super::proxy::Proxy;
use super::super::rotation::Rotation;
use super::super::sinks::Sink;
use super::super::span;
use super::super::store::{self, StoreKind};
use super::super::{PROVIDER, ProviderKind};
use super::access::{ALLOW, SOCKET};
use super::encrypted::{self, ENCRYPTED_FILE};
use super::hosts::HOST;
use super::key::{Key, KeyDoc, key, set};
use super::sinks::{SINK, UnfinishedSink};
use super::source::{ID, ID_TAKES, LocationDraft, SECRET, SECRET_TAKES};
use super::{Field, Reader, Section};
use crate::profile::ProfileName;
use crate::schedule::Reissue;

/// The keys of every profile, while they are read.
#[derive(Default)]
struct ProfileDraft {
    provider: Option<&'static ProviderKind>,
    place: LocationDraft,
    ca_file: Option<PathBuf>,
    proxy: Proxy,
    client_certificate: Option<ClientCertificate>,
    keep_warm: bool,
    reissue: Reissue,
    lifetime: Option<Duration>,
    rotation: Rotation,
    allow: Vec<Rule>,
    hosts: Vec<HostEntry>,
    sinks: Vec<UnfinishedSink>,
}

/// A profile as read, with the settings that are kept apart from it.
pub(in crate::config) struct ReadProfile {
    pub(in crate::config) name: ProfileName,
    pub(in crate::config) profile: Profile,
    /// The rules that say who may use it.
    pub(in crate::config) rules: Vec<Rule>,
    /// The addresses that its tokens are for.
    pub(in crate::config) hosts: Vec<HostEntry>,
    /// The files that its token is written to, each with its place.
    pub(in crate::config) sinks: Vec<(usize, Sink)>,
}

/// A client certificate while it is read.
#[derive(Default)]
struct CertificateDraft {
    cert: Option<PathBuf>,
    key: Option<PathBuf>,
}

/// The keys of every profile. A provider's own keys come after the first one, in the order in which `jetond add` writes
/// them.
#[rustfmt::skip]
const PROFILE: &[Key<ProfileDraft>] = &[
    key("provider", PROVIDER.takes, "", PROVIDER.about, |r, f, d| {
        let kinds: Vec<_> = ProviderKind::ALL.iter().map(|kind| (kind.name, kind)).collect();
        d.provider = r.one_of(f, &kinds, &[]);
    }),
    key("store", store::TAKES, "\"file\"", store::ABOUT, |r, f, d| {
        set(&mut d.place.store, r.one_of(f, &StoreKind::WORDS.map(|kind| (kind.as_str(), kind)), &[]));
        if d.place.store == StoreKind::EncryptedFile {
            r.needs_recipient(f);
        }
    }),
    key("client-id", ID_TAKES, "what is stored", "the client ID, for a client-secret that comes from a source", |r, f, d| {
        d.place.client_id = r.client_id(f);
    }),
    key("client-secret", SECRET_TAKES, "what is stored", "where the client secret comes from, in place of a store: Jeton only reads it there", |r, f, d| {
        d.place.client_secret = r.client_secret(f);
    }),
    key("ca-file", "an absolute path", "the system's certificates", "the certificates (PEM) to trust instead of the system's", |r, f, d| {
        d.ca_file = r.absolute(f);
    }),
    key("proxy", "\"http://HOST:PORT\" or \"environment\"", "no proxy", "the proxy to the issuer; \"environment\" takes HTTPS_PROXY", |r, f, d| {
        set(&mut d.proxy, r.parsed(f, Proxy::parse));
    }),
    key("client-certificate", "{ cert = \"PATH\", key = \"PATH\" }", "none", "the client certificate (PEM) for the issuer, and its key", |r, f, d| {
        let mut pair = CertificateDraft::default();
        r.table_of(f, CERTIFICATE, &mut pair);
        d.client_certificate = pair.cert.zip(pair.key).map(|(cert, key)| ClientCertificate { cert, key });
    }),
    key("keep-warm", "true or false", "false", "refresh the token even while no program asks for it", |r, f, d| {
        set(&mut d.keep_warm, r.flag(f));
    }),
    key("reissue", "\"normal\", \"same-until-expiry\" or \"kills-old\"", "\"normal\"", "what the issuer does with a request while its last token is still valid; with \"same-until-expiry\" and \"kills-old\", Jeton refreshes late", |r, f, d| {
        set(&mut d.reissue, r.one_of(f, &[Reissue::Normal, Reissue::SameUntilExpiry, Reissue::KillsOld].map(|reissue| (reissue.as_str(), reissue)), &[]));
    }),
    key("lifetime", "a time, as \"1h\"", "what the issuer states", "how long a token is valid, in place of what the issuer states; a JWT is never valid beyond its own expiry", |r, f, d| {
        d.lifetime = r.parsed(f, span::parse);
    }),
    key("rotate-every", "a time, as \"30d\"", "never", "the age at which the key is rotated (up to a tenth earlier); at least four token lifetimes and one day", |r, f, d| {
        d.rotation.every = r.parsed(f, span::parse);
    }),
    key("rotate-grace", "a time, as \"7d\"", "\"7d\"", "how long an old key is kept if the issuer does not report whether it is used", |r, f, d| {
        set(&mut d.rotation.grace, r.parsed(f, span::parse));
    }),
    key("shared", "true or false", "false", "whether another machine uses the same key, so that a rotation keeps the old one", |r, f, d| {
        set(&mut d.rotation.is_shared, r.flag(f));
    }),
    key("allow", "tables with one of user, uid, group, gid", "nobody else", "the users that may use it, besides the daemon's own and root", |r, f, d| {
        d.allow = r.rules(f);
    }),
    key("hosts", "tables with url, username, auth", "none", "the addresses that its tokens are for", |r, f, d| {
        d.hosts = r.hosts(f);
    }),
    key("sinks", "tables with path, format and more", "none", "the files that its token is written to", |r, f, d| {
        d.sinks = r.sinks(f);
    }),
];

#[rustfmt::skip]
const CERTIFICATE: &[Key<CertificateDraft>] = &[
    key("cert", "an absolute path", "", "the certificate and its intermediate certificates", |r, f, d| {
        d.cert = r.absolute(f);
    }),
    key("key", "an absolute path", "", "the certificate's key, not encrypted", |r, f, d| {
        d.key = r.absolute(f);
    }),
];

/// Returns every table with its keys, for the reference.
pub fn reference() -> Vec<(&'static str, Vec<KeyDoc>)> {
    vec![
        ("socket", SOCKET.iter().map(|key| key.doc).collect()),
        (
            encrypted::TABLE,
            ENCRYPTED_FILE.iter().map(|key| key.doc).collect(),
        ),
        ("profiles.NAME", docs()),
        (
            "profiles.NAME.client-id",
            ID.iter().map(|key| key.doc).collect(),
        ),
        (
            "profiles.NAME.client-secret",
            SECRET.iter().map(|key| key.doc).collect(),
        ),
        (
            "profiles.NAME.client-certificate",
            CERTIFICATE.iter().map(|key| key.doc).collect(),
        ),
        (
            "profiles.NAME.allow",
            ALLOW.iter().map(|key| key.doc).collect(),
        ),
        (
            "profiles.NAME.hosts",
            HOST.iter().map(|key| key.doc).collect(),
        ),
        (
            "profiles.NAME.sinks",
            SINK.iter().map(|key| key.doc).collect(),
        ),
    ]
}

/// Returns the keys of a profile in the order of `jetond add`: the provider, its address, the store, and all others.
fn docs() -> Vec<KeyDoc> {
    let mut docs: Vec<_> = PROFILE.iter().map(|key| key.doc).collect();
    let of_kinds = ProviderKind::ALL.iter().flat_map(ProviderKind::docs);
    for (at, doc) in of_kinds.enumerate() {
        // The first address goes right after the provider, all others after the store.
        docs.insert(if at == 0 { 1 } else { at + 2 }, doc);
    }
    docs
}

impl Reader<'_> {
    /// Reads a profile.
    pub(in crate::config) fn profile(&mut self, field: &Field<'_>) -> Option<ReadProfile> {
        let name = ProfileName::parse(field.name);
        if let Err(e) = name {
            self.fault_at(field.key, &field.path, e.to_string(), None);
        }
        let section = Section {
            field,
            table: self.table(field)?,
        };
        let names: Vec<_> = docs().iter().map(|doc| doc.name).collect();
        for field in section.fields() {
            if !names.contains(&field.name) {
                self.unknown(&field, &names);
            }
        }
        let mut draft = ProfileDraft::default();
        self.some_keys(&section, PROFILE, &mut draft);
        self.missing(&section, PROFILE);
        let mut provider = None;
        for kind in ProviderKind::ALL {
            match draft.provider {
                Some(chosen) if chosen.name == kind.name => provider = kind.read(self, &section),
                Some(chosen) => {
                    kind.check(self, &section);
                    self.foreign(&section, kind, chosen);
                }
                None => kind.check(self, &section),
            }
        }
        let credential = self.finish_place(&section, draft.place);
        let provider = provider?;
        let sinks = self.finish_sinks(draft.sinks, &provider, &draft.hosts);
        let (rotation, lifetime) = (draft.rotation, draft.lifetime);
        self.check_rotation(&section, &rotation, lifetime, &provider, &credential);
        let profile = Profile {
            provider,
            credential,
            ca_file: draft.ca_file,
            proxy: draft.proxy,
            client_certificate: draft.client_certificate,
            keep_warm: draft.keep_warm,
            reissue: draft.reissue,
            lifetime,
            rotation,
        };
        Some(ReadProfile {
            name: name.ok()?,
            profile,
            rules: draft.allow,
            hosts: draft.hosts,
            sinks,
        })
    }

    /// Reports keys that belong to another kind of provider than the chosen one.
    fn foreign(&mut self, section: &Section<'_>, kind: &ProviderKind, chosen: &ProviderKind) {
        let docs = kind.docs();
        for field in section.fields() {
            if docs.iter().any(|doc| doc.name == field.name) {
                let instead = chosen.instead_of_url;
                let suggestion = field.name == "url" && !instead.is_empty();
                let suggestion = suggestion.then(|| instead.to_owned());
                let message = format!("this is a key of provider = \"{}\"", kind.name);
                self.fault_at(field.key, &field.path, message, suggestion);
            }
        }
    }
}
