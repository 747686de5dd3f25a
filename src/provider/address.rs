//! Where a credential may be sent: `https`, or a loopback IP literal for trying things out.

use std::fmt;

use url::{Host, Url};

/// The base address of a control plane or an issuer, checked and without a trailing slash.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Address(Url);

/// Why a text is not an address to which a secret may be sent. It never quotes the text, which may hold a password.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum InvalidAddress {
    /// Not an absolute URL with a host.
    NotAUrl,
    /// Another scheme than `https`, and not `http` to a loopback IP literal.
    NotHttps,
    /// `http://localhost`: a name, so that whoever answers for it would get the secret in the clear.
    Localhost,
    /// A user name or a password in the address.
    UserInfo,
    /// A query or a fragment, which have no meaning in a base address.
    Query,
}

// === impl Address ===

impl Address {
    /// Takes an `https` address, or an `http` one whose host is a loopback IP literal.
    ///
    /// # Errors
    /// [`InvalidAddress`] tells what is wrong, without the text.
    pub fn parse(text: &str) -> Result<Self, InvalidAddress> {
        let mut url = Url::parse(text.trim()).map_err(|_| InvalidAddress::NotAUrl)?;
        if !url.username().is_empty() || url.password().is_some() {
            return Err(InvalidAddress::UserInfo);
        }
        if url.query().is_some() || url.fragment().is_some() {
            return Err(InvalidAddress::Query);
        }
        match (url.scheme(), url.host()) {
            (_, None) => return Err(InvalidAddress::NotAUrl),
            ("https", Some(_)) => {}
            ("http", Some(host)) if is_loopback_literal(&host) => {}
            ("http", Some(Host::Domain("localhost"))) => return Err(InvalidAddress::Localhost),
            _ => return Err(InvalidAddress::NotHttps),
        }
        let path = url.path().trim_end_matches('/').to_owned();
        url.set_path(&path);
        Ok(Self(url))
    }

    /// The same address without this ending of its path; unchanged when the path does not end so.
    #[must_use]
    pub fn without_suffix(mut self, suffix: &str) -> Self {
        let stripped = self.0.path().strip_suffix(suffix).map(str::to_owned);
        if let Some(path) = stripped {
            self.0.set_path(path.trim_end_matches('/'));
        }
        self
    }

    /// The address of `path` (which begins with a slash) below this one.
    pub fn join(&self, path: &str) -> Url {
        let mut url = self.0.clone();
        url.set_path(&format!("{}{path}", self.0.path().trim_end_matches('/')));
        url
    }

    /// `scheme://host`, with the port where it is not the scheme's own: what is shown, and what a credential is bound to.
    pub fn origin(&self) -> String {
        self.0.origin().ascii_serialization()
    }

    /// Whether the host is a loopback IP literal: such an address needs no TLS and gets no proxy.
    pub fn is_loopback_literal(&self) -> bool {
        self.0.host().is_some_and(|host| is_loopback_literal(&host))
    }

    /// Whether connections to it are encrypted.
    pub fn is_https(&self) -> bool {
        self.0.scheme() == "https"
    }
}

/// By its number, never by a name: a resolver decides what a name means, nobody what 127.0.0.1 means.
fn is_loopback_literal(host: &Host<&str>) -> bool {
    match host {
        Host::Ipv4(ip) => ip.is_loopback(),
        Host::Ipv6(ip) => ip.is_loopback(),
        Host::Domain(_) => false,
    }
}

// === impl InvalidAddress ===

impl fmt::Display for InvalidAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::NotAUrl => "it is not an address like https://acme.run.ai",
            Self::NotHttps => "it must begin with https://, since a secret is sent there",
            Self::Localhost => {
                "write http://127.0.0.1 instead of http://localhost: a name may lead elsewhere"
            }
            Self::UserInfo => "it must not hold a user name or a password",
            Self::Query => "it must not have a query or a fragment",
        })
    }
}

impl std::error::Error for InvalidAddress {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_https_and_loopback_literals_are_taken() {
        for (text, origin) in [
            ("https://acme.run.ai", "https://acme.run.ai"),
            (" https://ACME.run.ai:443// ", "https://acme.run.ai"),
            ("https://localhost:8443", "https://localhost:8443"),
            ("http://127.0.0.1:80", "http://127.0.0.1"),
            ("http://127.1:8080/x/", "http://127.0.0.1:8080"),
            ("http://[::1]:9", "http://[::1]:9"),
            (
                "https://b\u{fc}cher.example",
                "https://xn--bcher-kva.example",
            ),
        ] {
            assert_eq!(Address::parse(text).unwrap().origin(), origin, "{text}");
        }
        for (text, why) in [
            ("", InvalidAddress::NotAUrl),
            ("acme.run.ai", InvalidAddress::NotAUrl),
            ("https://", InvalidAddress::NotAUrl),
            ("mailto:a@b", InvalidAddress::NotAUrl),
            ("http://acme.run.ai", InvalidAddress::NotHttps),
            ("http://10.0.0.1", InvalidAddress::NotHttps),
            ("http://0.0.0.0", InvalidAddress::NotHttps),
            ("http://[::ffff:127.0.0.1]", InvalidAddress::NotHttps),
            ("http://127.0.0.1.example", InvalidAddress::NotHttps),
            ("ftp://127.0.0.1", InvalidAddress::NotHttps),
            ("http://localhost:8080", InvalidAddress::Localhost),
            ("https://a:b@acme.run.ai", InvalidAddress::UserInfo),
            ("https://a@acme.run.ai", InvalidAddress::UserInfo),
            ("https://acme.run.ai?x=1", InvalidAddress::Query),
            ("https://acme.run.ai/#/login", InvalidAddress::Query),
        ] {
            assert_eq!(Address::parse(text).unwrap_err(), why, "{text}");
        }
    }

    #[test]
    fn paths_are_joined_and_stripped_without_double_slashes() {
        let join = |base: &str| {
            Address::parse(base)
                .unwrap()
                .join("/api/v2/token")
                .to_string()
        };
        assert_eq!(join("https://a.example"), "https://a.example/api/v2/token");
        assert_eq!(
            join("https://a.example/x//"),
            "https://a.example/x/api/v2/token"
        );
        let stripped = Address::parse("https://a.example/x/api/v1/").unwrap();
        let stripped = stripped
            .without_suffix("/api/v1")
            .without_suffix("/nothing");
        assert_eq!(stripped.join("/y").as_str(), "https://a.example/x/y");
    }
}
