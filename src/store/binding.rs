//! What a credential was enrolled for, so that a change of the configuration cannot send it elsewhere.

use std::fmt;

use sha2::{Digest as _, Sha256};

use crate::config::{Profile, Proxy};

/// What a credential was enrolled for. If the configuration differs, nothing is sent until a person confirms the
/// change: write access to the configuration must not be enough to redirect the secret.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Binding {
    /// `scheme://host[:port]` of the token endpoint, to which the secret is sent.
    pub origin: String,
    /// The issuer whose discovery document named that endpoint, if the configuration does not name it.
    pub issuer: Option<String>,
    /// The SHA-256 of the CA file's content, in hexadecimal.
    pub ca: Option<String>,
    /// The proxy, as the configuration spells it.
    pub proxy: Option<String>,
}

/// A part of a binding.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BindingPart {
    /// The address.
    Origin,
    /// The issuer that determines the address.
    Issuer,
    /// The certificates to trust.
    Ca,
    /// The proxy.
    Proxy,
}

// === impl Binding ===

impl Binding {
    /// The binding that a profile requires. `discovered` is the origin of the token endpoint if the profile does not
    /// name it; `ca` is the content of its CA file, if it has one.
    pub fn of(profile: &Profile, discovered: &str, ca: Option<&[u8]>) -> Self {
        Self {
            origin: profile
                .origin()
                .map_or_else(|| discovered.to_owned(), |origin| origin.to_string()),
            issuer: profile.issuer().map(str::to_owned),
            ca: ca.map(fingerprint),
            proxy: match profile.proxy_in_use() {
                Proxy::Direct => None,
                proxy => proxy.as_str().map(str::to_owned),
            },
        }
    }

    /// The parts in which this binding differs from `now`, the one that the configuration requires.
    pub fn differences(&self, now: &Self) -> Vec<BindingPart> {
        [
            (BindingPart::Origin, self.origin == now.origin),
            (BindingPart::Issuer, self.issuer == now.issuer),
            (BindingPart::Ca, self.ca == now.ca),
            (BindingPart::Proxy, self.proxy == now.proxy),
        ]
        .into_iter()
        .filter(|(_, same)| !same)
        .map(|(part, _)| part)
        .collect()
    }
}

/// The SHA-256 in hexadecimal.
fn fingerprint(bytes: &[u8]) -> String {
    let hash = Sha256::digest(bytes);
    hash.iter().map(|byte| format!("{byte:02x}")).collect()
}

// === impl BindingPart ===

impl fmt::Display for BindingPart {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Origin => "the address (url or token-url)",
            Self::Issuer => "the issuer (issuer)",
            Self::Ca => "the certificates (ca-file)",
            Self::Proxy => "the proxy (proxy)",
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn profile(extra: &str) -> Profile {
        let text = format!("[profiles.a]\nprovider='runai'\n{extra}");
        let config = crate::config::parse(&text, &crate::testing::FewNames).unwrap();
        config.profiles.into_values().next().unwrap()
    }

    #[test]
    fn a_binding_is_of_the_origin_the_certificates_and_the_proxy_and_of_nothing_else() {
        let plain = profile("url='https://a.b/api/v1'");
        let bound = Binding::of(&plain, "", None);
        assert_eq!(bound.origin, "https://a.b");
        let same = profile("url='https://A.b:443/'\nkeep-warm=true\napi='v1'");
        assert_eq!(bound.differences(&Binding::of(&same, "", None)), []);
        for (extra, ca, part) in [
            ("url='https://a.c'", None, BindingPart::Origin),
            ("url='https://a.b:444'", None, BindingPart::Origin),
            ("url='https://a.b'", Some("pem"), BindingPart::Ca),
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
            let now = Binding::of(&profile(extra), "", ca.map(str::as_bytes));
            assert_eq!(bound.differences(&now), [part], "{extra}");
            assert_eq!(now.differences(&bound), [part], "{extra}");
        }
        let ca = Binding::of(&plain, "", Some(b"abc")).ca.unwrap();
        assert!(ca.starts_with("ba7816bf8f01cfea") && ca.len() == 64, "{ca}");
    }

    #[test]
    fn where_an_issuer_says_the_address_it_is_bound_too() {
        let bound = |extra: &str| {
            let text = format!("[profiles.a]\nprovider='oauth2'\n{extra}");
            let config = crate::config::parse(&text, &crate::testing::FewNames).unwrap();
            let profile = config.profiles.into_values().next().unwrap();
            Binding::of(&profile, "https://tokens.example", None)
        };
        let discovered = bound("issuer='https://idp.example/x'");
        assert_eq!(discovered.origin, "https://tokens.example");
        for (extra, parts) in [
            ("issuer='https://idp.example/x'\nscope=['a']", vec![]),
            ("issuer='https://idp.example/'", vec![BindingPart::Issuer]),
            ("issuer='https://evil.example/x'", vec![BindingPart::Issuer]),
            (
                "token-url='https://tokens.example/y'",
                vec![BindingPart::Issuer],
            ),
            (
                "token-url='https://evil.example'",
                vec![BindingPart::Origin, BindingPart::Issuer],
            ),
        ] {
            assert_eq!(discovered.differences(&bound(extra)), parts, "{extra}");
        }
        let set = bound("token-url='https://idp.example/token'");
        assert_eq!(
            (set.origin.as_str(), set.issuer),
            ("https://idp.example", None)
        );
    }

    #[test]
    fn a_loopback_address_has_no_proxy_to_be_bound_to() {
        let direct = profile("url='http://127.0.0.1:1'");
        let proxied = profile("url='http://127.0.0.1:1'\nproxy='environment'");
        assert_eq!(
            Binding::of(&direct, "", None),
            Binding::of(&proxied, "", None)
        );
    }
}
