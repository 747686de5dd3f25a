//! The binding of a credential: the endpoint, certificates and proxy of its enrolment, so that a change of the
//! configuration cannot send it elsewhere.

use std::fmt;
use std::sync::Arc;

use url::Url;

use crate::certificates::CaFile;
use crate::config::{Profile, Proxy};
use crate::credential::{Ca, CaVerdict};

/// The endpoint, certificates and proxy that a credential was enrolled for. If the configuration differs, nothing is
/// sent until a person confirms the change: write access to the configuration must not be enough to redirect the
/// secret.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Binding {
    /// Where the secret is sent.
    pub bound: BoundTarget,
    /// The issuer whose discovery document named that endpoint, if the configuration does not name it.
    pub issuer: Option<String>,
    /// The certificates to trust.
    pub ca: Ca,
    /// The proxy, as the configuration spells it.
    pub proxy: Option<String>,
}

/// Where a secret is sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum BoundTarget {
    /// `scheme://host[:port]` of the token endpoint: a record of version 1 has no more of the address.
    Origin(String),
    /// The provider, and the whole address.
    Endpoint {
        /// The kind of provider, as the configuration spells it.
        provider: String,
        /// The token endpoint; for Run:ai the address below which its token endpoints are.
        endpoint: Url,
    },
}

/// What the configuration requires now, and the CA file as it was read for this.
#[derive(Debug, Clone)]
pub struct Required {
    /// The binding that an enrolment would write.
    pub binding: Binding,
    /// The CA file, if the configuration names one.
    pub ca_file: Option<Arc<CaFile>>,
}

// === impl Binding ===

impl Binding {
    /// How the certificates that the configuration names now compare with those of the enrolment.
    pub fn certificates(&self, now: &Required) -> CaVerdict {
        self.ca
            .compare(now.ca_file.as_ref().map(|file| &file.content))
    }

    /// `scheme://host[:port]` of the token endpoint.
    pub fn origin(&self) -> String {
        self.bound.origin()
    }
}

// === impl Bound ===

impl BoundTarget {
    /// This endpoint of the profile's provider.
    pub fn of(profile: &Profile, endpoint: Url) -> Self {
        Self::Endpoint {
            provider: profile.provider.as_str().to_owned(),
            endpoint,
        }
    }

    /// `scheme://host[:port]` of the token endpoint.
    pub fn origin(&self) -> String {
        match self {
            Self::Origin(origin) => origin.clone(),
            Self::Endpoint { endpoint, .. } => endpoint.origin().ascii_serialization(),
        }
    }

    /// The part of the address that is known, with its query.
    pub fn as_str(&self) -> &str {
        match self {
            Self::Origin(origin) => origin,
            Self::Endpoint { endpoint, .. } => endpoint.as_str(),
        }
    }

    /// Whether a credential with this binding may also be sent to `other`, as far as the record tells. A record of
    /// version 1 is compared by origin only.
    pub fn covers(&self, other: &Self) -> bool {
        match self {
            Self::Origin(origin) => *origin == other.origin(),
            Self::Endpoint { .. } => self == other,
        }
    }
}

// === impl Required ===

impl Required {
    /// Builds the binding that a profile requires. `discovered` is the destination of the secret if the profile does
    /// not name one; `ca_file` is its CA file, if it has one.
    pub fn of(profile: &Profile, discovered: &BoundTarget, ca_file: Option<Arc<CaFile>>) -> Self {
        let bound = match profile.endpoint() {
            Some(endpoint) => BoundTarget::of(profile, endpoint),
            None => match discovered {
                BoundTarget::Endpoint { endpoint, .. } => {
                    BoundTarget::of(profile, endpoint.clone())
                }
                BoundTarget::Origin(_) => discovered.clone(),
            },
        };
        let ca = ca_file
            .as_ref()
            .map_or(Ca::System, |file| Ca::Set(file.content.set.clone()));
        let proxy = match profile.proxy_in_use() {
            Proxy::Direct => None,
            proxy => proxy.as_str().map(str::to_owned),
        };
        let binding = Binding {
            bound,
            issuer: profile.issuer().map(str::to_owned),
            ca,
            proxy,
        };
        Self { binding, ca_file }
    }
}

impl fmt::Display for BoundTarget {
    /// The address without its query, which may hold private data.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Origin(origin) => f.write_str(origin),
            Self::Endpoint { endpoint, .. } => {
                let path = Some(endpoint.path()).filter(|path| *path != "/");
                write!(f, "{}{}", self.origin(), path.unwrap_or_default())
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;
    use crate::store::BindingPart;

    fn parts(enrolled: &Binding, now: &Required) -> Vec<BindingPart> {
        let differences = enrolled.differences(now).into_iter();
        differences.map(|difference| difference.part).collect()
    }

    fn profile(extra: &str) -> Profile {
        let text = format!("[profiles.a]\n{extra}");
        let config = crate::config::parse(&text, &crate::testing::FewNames).unwrap();
        config.profiles.into_values().next().unwrap()
    }

    fn runai(extra: &str) -> Profile {
        profile(&format!("provider='runai'\n{extra}"))
    }

    fn nowhere() -> BoundTarget {
        BoundTarget::Origin("https://nowhere".into())
    }

    fn required(profile: &Profile) -> Required {
        Required::of(profile, &nowhere(), None)
    }

    fn ca_file() -> Option<Arc<CaFile>> {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fixtures/tls/ca.pem");
        let uid = rustix::process::geteuid().as_raw();
        let mut file = CaFile::read(Path::new(path), uid).unwrap();
        // Root may run this.
        file.content.only_root = false;
        Some(Arc::new(file))
    }

    #[test]
    fn a_binding_covers_exactly_address_certificates_and_proxy() {
        let plain = required(&runai("url='https://a.b/api/v1'"));
        for same in [
            "url='https://A.b:443/'\nkeep-warm=true\napi='v1'",
            "url='https://a.b/api/v2/token/'",
            "url='https://a.b/api'",
            "url='https://a.b/token'",
        ] {
            assert_eq!(parts(&plain.binding, &required(&runai(same))), [], "{same}");
        }
        for (extra, ca_file, part) in [
            ("url='https://a.c'", None, BindingPart::Endpoint),
            ("url='https://a.b:444'", None, BindingPart::Endpoint),
            ("url='https://a.b/u/mallory'", None, BindingPart::Endpoint),
            ("url='https://a.b'", ca_file(), BindingPart::Ca),
            (
                "url='https://a.b'\nproxy='http://p:1'",
                None,
                BindingPart::Proxy,
            ),
            (
                "url='https://a.b'\nproxy='environment'",
                None,
                BindingPart::Proxy,
            ),
        ] {
            let now = Required::of(&runai(extra), &nowhere(), ca_file);
            assert_eq!(parts(&plain.binding, &now), [part], "{extra}");
            assert_eq!(parts(&now.binding, &plain), [part], "{extra}");
        }
    }

    #[test]
    fn a_binding_carries_the_provider_and_the_whole_address() {
        for (extra, provider, endpoint) in [
            (
                "provider='runai'\nurl='https://A.b:443/x/api/v1'",
                "runai",
                "https://a.b/x",
            ),
            (
                "provider='runai'\nurl='https://a.b'",
                "runai",
                "https://a.b/",
            ),
            (
                "provider='oauth2'\ntoken-url='https://a.b/t?x=1'",
                "oauth2",
                "https://a.b/t?x=1",
            ),
        ] {
            let bound = required(&profile(extra)).binding.bound;
            let endpoint = Url::parse(endpoint).unwrap();
            let provider = provider.to_owned();
            assert_eq!(bound, BoundTarget::Endpoint { provider, endpoint });
            assert_eq!(bound.origin(), "https://a.b");
        }
    }

    #[test]
    fn a_version_1_record_is_compared_by_the_fields_it_has() {
        let profile = runai("url='https://a.b/x'\nca-file='/ca.pem'");
        let now = Required::of(&profile, &nowhere(), ca_file());
        let bytes = ca_file().unwrap().content.bytes.clone();
        let former = |origin: &str, bytes: &str| Binding {
            bound: BoundTarget::Origin(origin.into()),
            ca: Ca::Bytes(bytes.into()),
            ..now.binding.clone()
        };
        let unrecorded = BindingPart::Unrecorded;
        for (former, differ) in [
            (former("https://a.b", &bytes), vec![unrecorded]),
            (
                former("https://a.b", "other"),
                vec![unrecorded, BindingPart::Ca],
            ),
            (former("https://a.c", &bytes), vec![BindingPart::Endpoint]),
        ] {
            assert_eq!(parts(&former, &now), differ);
        }
    }

    #[test]
    fn a_discovered_endpoint_is_bound_together_with_its_issuer() {
        let required = |extra: &str| {
            let profile = profile(&format!("provider='oauth2'\n{extra}"));
            let endpoint = Url::parse("https://tokens.example/t").unwrap();
            Required::of(&profile, &BoundTarget::of(&profile, endpoint), None)
        };
        let discovered = required("issuer='https://idp.example/x'").binding;
        assert_eq!(discovered.origin(), "https://tokens.example");
        let endpoint = BindingPart::Endpoint;
        for (extra, differ) in [
            ("issuer='https://idp.example/x'\nscope=['a']", vec![]),
            ("issuer='https://idp.example/'", vec![BindingPart::Issuer]),
            ("issuer='https://evil.example/x'", vec![BindingPart::Issuer]),
            (
                "token-url='https://tokens.example/t'",
                vec![BindingPart::Issuer],
            ),
            (
                "token-url='https://tokens.example/y'",
                vec![endpoint, BindingPart::Issuer],
            ),
            (
                "token-url='https://evil.example'",
                vec![endpoint, BindingPart::Issuer],
            ),
        ] {
            assert_eq!(parts(&discovered, &required(extra)), differ, "{extra}");
        }
        let set = required("token-url='https://idp.example/token'").binding;
        assert_eq!(
            (set.origin().as_str(), set.issuer),
            ("https://idp.example", None)
        );
    }

    #[test]
    fn a_loopback_address_is_not_bound_to_a_proxy() {
        let direct = runai("url='http://127.0.0.1:1'");
        let proxied = runai("url='http://127.0.0.1:1'\nproxy='environment'");
        assert_eq!(required(&direct).binding, required(&proxied).binding);
    }
}
