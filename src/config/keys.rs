//! Every key there is, once: how it is read, and what the reference says about it.

use std::path::{Path, PathBuf};

use super::reader::{Field, Reader};
use super::{Api, BaseUrl, Proxy, SocketMode, StoreKind};

/// What a reader of the reference wants to know of a key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct KeyDoc {
    /// The key.
    pub name: &'static str,
    /// What it takes.
    pub takes: &'static str,
    /// What holds when it is not there; empty when it must be there.
    pub default: &'static str,
    /// What it does, in a sentence.
    pub about: &'static str,
}

/// A key of the table that is read into `D`.
pub(super) struct Key<D: 'static> {
    pub(super) doc: KeyDoc,
    pub(super) read: fn(&mut Reader<'_>, &Field<'_>, &mut D),
}

/// A profile while it is read.
#[derive(Default)]
pub(super) struct Draft {
    pub(super) provider: Option<ProviderKind>,
    pub(super) url: Option<BaseUrl>,
    pub(super) api: Api,
    pub(super) store: StoreKind,
    pub(super) ca_file: Option<PathBuf>,
    pub(super) proxy: Proxy,
    pub(super) keep_warm: bool,
}

/// A provider while its keys are not known yet.
#[derive(Clone, Copy)]
pub(super) enum ProviderKind {
    Runai,
}

/// A value that later versions take.
const LATER: &str = "is not supported in this version";

const fn key<D>(
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
        about,
    };
    Key { doc, read }
}

#[rustfmt::skip]
pub(super) const SOCKET: &[Key<SocketMode>] = &[
    key("mode", "\"private\"", "\"private\"", "who can connect to the token socket: our own user and root", |r, f, d| {
        set(d, r.one_of(f, &[("private", SocketMode::Private)], &[("group", LATER), ("all", LATER)]));
    }),
];

#[rustfmt::skip]
pub(super) const PROFILE: &[Key<Draft>] = &[
    key("provider", "\"runai\"", "", "who issues the tokens", |r, f, d| {
        d.provider = r.one_of(f, &[("runai", ProviderKind::Runai)], &[("oauth2", LATER)]);
    }),
    key("url", "an https address", "", "the control plane; http only for a loopback address such as http://127.0.0.1:8080", |r, f, d| {
        d.url = r.parsed(f, BaseUrl::parse);
    }),
    key("store", "\"file\"", "\"file\"", "where the credential is kept", |r, f, d| {
        set(&mut d.store, r.one_of(f, &[("file", StoreKind::File)], &[("keyring", LATER)]));
    }),
    key("api", "\"auto\", \"v2\" or \"v1\"", "\"auto\"", "which of the control plane's APIs gives the token", |r, f, d| {
        set(&mut d.api, r.one_of(f, &[("auto", Api::Auto), ("v2", Api::V2), ("v1", Api::V1)], &[]));
    }),
    key("ca-file", "an absolute path", "the system's certificates", "the certificates (PEM) to trust instead of the system's", |r, f, d| {
        d.ca_file = r.text(f).and_then(|text| absolute(r, f, text));
    }),
    key("proxy", "\"http://HOST:PORT\" or \"environment\"", "no proxy", "the proxy to the control plane; \"environment\" takes HTTPS_PROXY", |r, f, d| {
        set(&mut d.proxy, r.parsed(f, Proxy::parse));
    }),
    key("keep-warm", "true or false", "false", "refresh the token although nobody asks for it", |r, f, d| {
        set(&mut d.keep_warm, r.flag(f));
    }),
];

/// Every table with its keys, for the reference.
pub fn reference() -> Vec<(&'static str, Vec<KeyDoc>)> {
    vec![
        ("socket", SOCKET.iter().map(|key| key.doc).collect()),
        ("profiles.NAME", PROFILE.iter().map(|key| key.doc).collect()),
    ]
}

/// Keeps the default where the value was a fault, which is reported already.
fn set<T>(place: &mut T, value: Option<T>) {
    if let Some(value) = value {
        *place = value;
    }
}

fn absolute(reader: &mut Reader<'_>, field: &Field<'_>, text: &str) -> Option<PathBuf> {
    let path = Path::new(text);
    if path.is_absolute() && !text.contains('\0') {
        return Some(path.to_owned());
    }
    reader.fault(
        field,
        "this must be an absolute path, from / on; ~ and variables are not expanded",
        None,
    );
    None
}
