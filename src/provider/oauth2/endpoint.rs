//! The addresses of an issuer and of its token endpoint.

use url::Url;

use crate::provider::address::{Address, InvalidAddress};

/// A token endpoint (RFC 6749 section 3.2).
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Endpoint {
    url: Url,
    /// Its origin alone, checked.
    address: Address,
}

/// An issuer (RFC 8414 section 2).
#[derive(Debug)]
pub(super) struct Issuer {
    /// The identifier as it is written: it is compared by its characters, so it is never put into another form.
    text: String,
    /// Its path without final slashes.
    path: String,
    /// Its origin alone, checked.
    address: Address,
}

// === impl Endpoint ===

impl Endpoint {
    /// Takes an `https` address, or an `http` one whose host is a loopback IP literal. A query is kept, as RFC 6749
    /// wants it; a fragment is not possible.
    pub(super) fn parse(text: &str) -> Result<Self, InvalidAddress> {
        let url = strict(text)?;
        let address = origin_of(&url)?;
        Ok(Self { url, address })
    }

    pub(super) const fn url(&self) -> &Url {
        &self.url
    }

    pub(super) const fn address(&self) -> &Address {
        &self.address
    }
}

// === impl Issuer ===

impl Issuer {
    /// Takes an issuer's identifier: as an [`Endpoint`], and without a query.
    pub(super) fn parse(text: &str) -> Result<Self, InvalidAddress> {
        let url = strict(text)?;
        if url.query().is_some() {
            return Err(InvalidAddress::Query);
        }
        Ok(Self {
            text: text.to_owned(),
            path: url.path().trim_end_matches('/').to_owned(),
            address: origin_of(&url)?,
        })
    }

    pub(super) fn identifier(&self) -> &str {
        &self.text
    }

    pub(super) const fn address(&self) -> &Address {
        &self.address
    }

    /// Where its discovery document may be: RFC 8414 section 3.1 puts its own part before the issuer's path, `OpenID`
    /// Connect Discovery section 4 behind it.
    pub(super) fn documents(&self) -> [Url; 2] {
        let path = &self.path;
        [
            self.address
                .join(&format!("/.well-known/oauth-authorization-server{path}")),
            self.address
                .join(&format!("{path}/.well-known/openid-configuration")),
        ]
    }
}

/// An absolute URL without what has no place in one of these; nothing that a parser would have to repair.
fn strict(text: &str) -> Result<Url, InvalidAddress> {
    let plain = |b: u8| (0x21..=0x7e).contains(&b) && b != b'\\';
    if !text.bytes().all(plain) {
        return Err(InvalidAddress::NotAUrl);
    }
    let url = Url::parse(text).map_err(|_| InvalidAddress::NotAUrl)?;
    if !url.username().is_empty() || url.password().is_some() {
        return Err(InvalidAddress::UserInfo);
    }
    if url.fragment().is_some() {
        return Err(InvalidAddress::Query);
    }
    Ok(url)
}

fn origin_of(url: &Url) -> Result<Address, InvalidAddress> {
    Address::parse(&url.origin().ascii_serialization())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_endpoint_keeps_its_path_and_query() {
        for (text, sent, origin) in [
            (
                "https://a.example/token",
                "https://a.example/token",
                "https://a.example",
            ),
            (
                "https://A.example:443/t/",
                "https://a.example/t/",
                "https://a.example",
            ),
            (
                "https://a.example:8443",
                "https://a.example:8443/",
                "https://a.example:8443",
            ),
            (
                "https://a.example/t?p=b2c&x=%20",
                "https://a.example/t?p=b2c&x=%20",
                "https://a.example",
            ),
            (
                "http://127.0.0.1:9/t",
                "http://127.0.0.1:9/t",
                "http://127.0.0.1:9",
            ),
            ("http://[::1]/t", "http://[::1]/t", "http://[::1]"),
        ] {
            let endpoint = Endpoint::parse(text).unwrap();
            assert_eq!(endpoint.url().as_str(), sent);
            assert_eq!(endpoint.address().origin(), origin);
        }
    }

    #[test]
    fn what_no_secret_may_be_sent_to_is_refused() {
        for (text, why) in [
            ("", InvalidAddress::NotAUrl),
            ("/token", InvalidAddress::NotAUrl),
            ("a.example/token", InvalidAddress::NotAUrl),
            ("mailto:a@b", InvalidAddress::NotAUrl),
            ("https:\\\\a.example", InvalidAddress::NotAUrl),
            ("https://a.example/\ttoken", InvalidAddress::NotAUrl),
            (" https://a.example", InvalidAddress::NotAUrl),
            ("https://a.example\n", InvalidAddress::NotAUrl),
            ("https://b\u{fc}cher.example", InvalidAddress::NotAUrl),
            ("http://a.example/token", InvalidAddress::NotHttps),
            ("http://10.0.0.1/token", InvalidAddress::NotHttps),
            ("ftp://a.example/token", InvalidAddress::NotHttps),
            ("http://localhost/token", InvalidAddress::Localhost),
            ("https://a:b@a.example", InvalidAddress::UserInfo),
            ("https://a.example/token#x", InvalidAddress::Query),
            ("https://a.example/token#", InvalidAddress::Query),
        ] {
            assert_eq!(Endpoint::parse(text).unwrap_err(), why, "{text}");
            assert_eq!(Issuer::parse(text).unwrap_err(), why, "{text}");
        }
        let query = Issuer::parse("https://a.example/?x").unwrap_err();
        assert_eq!(query, InvalidAddress::Query);
    }

    #[test]
    fn discovery_documents_are_where_the_standards_put_them() {
        for (issuer, documents) in [
            (
                "https://a.example",
                [
                    "https://a.example/.well-known/oauth-authorization-server",
                    "https://a.example/.well-known/openid-configuration",
                ],
            ),
            (
                "https://a.example/",
                [
                    "https://a.example/.well-known/oauth-authorization-server",
                    "https://a.example/.well-known/openid-configuration",
                ],
            ),
            (
                "https://a.example:8443/realms/x/",
                [
                    "https://a.example:8443/.well-known/oauth-authorization-server/realms/x",
                    "https://a.example:8443/realms/x/.well-known/openid-configuration",
                ],
            ),
        ] {
            let parsed = Issuer::parse(issuer).unwrap();
            assert_eq!(parsed.documents().map(String::from), documents);
            assert_eq!(parsed.identifier(), issuer, "as it was written");
        }
    }
}
