//! Every key there is, once: how it is read, and what the reference says about it.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use super::oauth2::{self, ClientAuth, EndpointUrl};
use super::reader::{Field, Reader};
use super::{Api, BaseUrl, ClientCertificate, Proxy, Rule, StoreKind};
use crate::policy::Who;
use crate::schedule::Reissue;

/// What a reader of the reference wants to know of a key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct KeyDoc {
    /// The key.
    pub name: &'static str,
    /// What it takes.
    pub takes: &'static str,
    /// What holds when it is not there; empty when it must be there.
    pub default: &'static str,
    /// The provider whose key it is; empty for every one's.
    pub provider: &'static str,
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
    pub(super) issuer: Option<EndpointUrl>,
    pub(super) token_url: Option<EndpointUrl>,
    pub(super) client_auth: ClientAuth,
    pub(super) scope: Vec<String>,
    pub(super) audience: Option<String>,
    pub(super) resource: Vec<String>,
    pub(super) extra: BTreeMap<String, String>,
    pub(super) store: StoreKind,
    pub(super) ca_file: Option<PathBuf>,
    pub(super) proxy: Proxy,
    pub(super) client_certificate: Option<ClientCertificate>,
    pub(super) keep_warm: bool,
    pub(super) reissue: Reissue,
    pub(super) allow: Vec<Rule>,
}

/// The socket while it is read.
#[derive(Default)]
pub(super) struct SocketDraft {
    pub(super) mode: ModeKind,
    pub(super) group: Option<u32>,
}

/// A mode while its group is not known yet.
#[derive(Clone, Copy, Default, PartialEq, Eq)]
pub(super) enum ModeKind {
    #[default]
    Private,
    Group,
    All,
}

/// A provider while its keys are not known yet.
#[derive(Clone, Copy)]
pub(super) enum ProviderKind {
    Runai,
    Oauth2,
}

/// A client certificate while it is read.
#[derive(Default)]
struct Pair {
    cert: Option<PathBuf>,
    key: Option<PathBuf>,
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
        provider: "",
        about,
    };
    Key { doc, read }
}

/// The same key, of this provider alone.
const fn of<D>(provider: &'static str, key: &Key<D>) -> Key<D> {
    let doc = KeyDoc {
        provider,
        ..key.doc
    };
    Key {
        doc,
        read: key.read,
    }
}

#[rustfmt::skip]
pub(super) const SOCKET: &[Key<SocketDraft>] = &[
    key("mode", "\"private\", \"group\" or \"all\"", "\"private\"", "who can connect to the token socket: our own user and root, a group as well, or everybody", |r, f, d| {
        set(&mut d.mode, r.one_of(f, &[("private", ModeKind::Private), ("group", ModeKind::Group), ("all", ModeKind::All)], &[]));
    }),
    key("group", "a group's name or number", "mode is not \"group\"", "the group that can connect as well", |r, f, d| {
        d.group = r.group(f);
    }),
];

#[rustfmt::skip]
pub(super) const ALLOW: &[Key<Vec<Rule>>] = &[
    key("user", "a user's name", "another key is there", "this user may use the profile", |r, f, d| {
        d.extend(r.user_rule("user", f));
    }),
    key("uid", "a number, or \"FIRST-LAST\"", "another key is there", "these users may, by number", |r, f, d| {
        d.extend(r.id_rule("uid", f, Who::Users));
    }),
    key("group", "a group's name", "another key is there", "whoever is in this group may", |r, f, d| {
        d.extend(r.group_rule("group", f));
    }),
    key("gid", "a number, or \"FIRST-LAST\"", "another key is there", "whoever is in one of these groups may, by number", |r, f, d| {
        d.extend(r.id_rule("gid", f, Who::Groups));
    }),
    key("unit", "the name of a system unit", "another key is there", "not yet supported, and refused", |r, f, _| {
        if r.text(f).is_some() {
            r.fault(f, "a rule for a unit is not supported in this version: allow the user that the unit runs as", None);
        }
    }),
];

#[rustfmt::skip]
pub(super) const PROFILE: &[Key<Draft>] = &[
    key("provider", "\"runai\" or \"oauth2\"", "", "who issues the tokens: NVIDIA Run:ai, or another OAuth 2.0 issuer", |r, f, d| {
        d.provider = r.one_of(f, &[("runai", ProviderKind::Runai), ("oauth2", ProviderKind::Oauth2)], &[]);
    }),
    of("runai", &key("url", "an https address", "", "the control plane; http only for a loopback address such as http://127.0.0.1:8080", |r, f, d| {
        d.url = r.parsed(f, BaseUrl::parse);
    })),
    key("store", "\"file\" or \"keyring\"", "\"file\"", "where the credential is kept: a file in the state folder, or the OS keyring", |r, f, d| {
        set(&mut d.store, r.one_of(f, &[("file", StoreKind::File), ("keyring", StoreKind::Keyring)], &[]));
    }),
    of("runai", &key("api", "\"auto\", \"v2\" or \"v1\"", "\"auto\"", "which of the control plane's APIs gives the token", |r, f, d| {
        set(&mut d.api, r.one_of(f, &[("auto", Api::Auto), ("v2", Api::V2), ("v1", Api::V1)], &[]));
    })),
    of("oauth2", &key("issuer", "an https address", "token-url is there", "the issuer, exactly as it calls itself: its discovery document says where the token endpoint is", |r, f, d| {
        d.issuer = r.parsed(f, EndpointUrl::issuer);
    })),
    of("oauth2", &key("token-url", "an https address", "issuer is there", "the token endpoint", |r, f, d| {
        d.token_url = r.parsed(f, EndpointUrl::token);
    })),
    of("oauth2", &key("client-auth", "\"basic\" or \"post\"", "\"basic\"", "how the client ID and the secret are sent: in a header or in the body", |r, f, d| {
        set(&mut d.client_auth, r.one_of(f, &[("basic", ClientAuth::Basic), ("post", ClientAuth::Post)], &[("private-key-jwt", LATER), ("mtls", LATER)]));
    })),
    of("oauth2", &key("scope", "an array of strings", "what the issuer gives", "the scopes to ask for", |r, f, d| {
        d.scope = r.list(f, oauth2::scope);
    })),
    of("oauth2", &key("audience", "a string", "none", "the audience to ask for", |r, f, d| {
        d.audience = r.checked(f, oauth2::value);
    })),
    of("oauth2", &key("resource", "an absolute URI, or an array of them", "none", "the resources to ask for (RFC 8707)", |r, f, d| {
        d.resource = r.one_or_list(f, oauth2::resource);
    })),
    of("oauth2", &key("extra", "a table of strings", "none", "further parameters of the request for a token", |r, f, d| {
        for field in r.entries(f) {
            let name = r.name(&field, oauth2::parameter);
            if let (Some(name), Some(value)) = (name, r.checked(&field, oauth2::value)) {
                d.extra.insert(name, value);
            }
        }
    })),
    key("ca-file", "an absolute path", "the system's certificates", "the certificates (PEM) to trust instead of the system's", |r, f, d| {
        d.ca_file = r.text(f).and_then(|text| absolute(r, f, text));
    }),
    key("proxy", "\"http://HOST:PORT\" or \"environment\"", "no proxy", "the proxy to the issuer; \"environment\" takes HTTPS_PROXY", |r, f, d| {
        set(&mut d.proxy, r.parsed(f, Proxy::parse));
    }),
    key("client-certificate", "{ cert = \"PATH\", key = \"PATH\" }", "none", "the certificate (PEM) to show to the issuer, and its key", |r, f, d| {
        let mut pair = Pair::default();
        r.table_of(f, CERTIFICATE, &mut pair);
        d.client_certificate = pair.cert.zip(pair.key).map(|(cert, key)| ClientCertificate { cert, key });
    }),
    key("keep-warm", "true or false", "false", "refresh the token although nobody asks for it", |r, f, d| {
        set(&mut d.keep_warm, r.flag(f));
    }),
    key("reissue", "\"normal\", \"same-until-expiry\" or \"kills-old\"", "\"normal\"", "what the issuer does that is asked while its last token holds: the other two are refreshed late", |r, f, d| {
        set(&mut d.reissue, r.one_of(f, &[Reissue::Normal, Reissue::SameUntilExpiry, Reissue::KillsOld].map(|reissue| (reissue.as_str(), reissue)), &[]));
    }),
    key("allow", "tables with one of user, uid, group, gid", "nobody else", "who may use it beside our own user and root", |r, f, d| {
        d.allow = r.rules(f);
    }),
];

#[rustfmt::skip]
const CERTIFICATE: &[Key<Pair>] = &[
    key("cert", "an absolute path", "", "the certificate and those between it and its root", |r, f, d| {
        d.cert = r.text(f).and_then(|text| absolute(r, f, text));
    }),
    key("key", "an absolute path", "", "the certificate's key, not encrypted", |r, f, d| {
        d.key = r.text(f).and_then(|text| absolute(r, f, text));
    }),
];

/// Every table with its keys, for the reference.
pub fn reference() -> Vec<(&'static str, Vec<KeyDoc>)> {
    vec![
        ("socket", SOCKET.iter().map(|key| key.doc).collect()),
        ("profiles.NAME", PROFILE.iter().map(|key| key.doc).collect()),
        (
            "profiles.NAME.client-certificate",
            CERTIFICATE.iter().map(|key| key.doc).collect(),
        ),
        (
            "profiles.NAME.allow",
            ALLOW.iter().map(|key| key.doc).collect(),
        ),
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
