//! An OAuth 2.0 issuer in the configuration, and what can be asked of it.

use std::collections::BTreeMap;
use std::fmt;

use ::url::Url;

use super::url::{self, InvalidUrl};

/// An OAuth 2.0 issuer with the client-credentials grant.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Oauth2 {
    /// Where its token endpoint is.
    pub at: At,
    /// How the client proves who it is.
    pub client_auth: ClientAuth,
    /// The scopes to ask for (RFC 6749 section 3.3).
    pub scope: Vec<String>,
    /// The audience to ask for.
    pub audience: Option<String>,
    /// The resources to ask for (RFC 8707).
    pub resource: Vec<String>,
    /// Further parameters of the request.
    pub extra: BTreeMap<String, String>,
}

/// Where the token endpoint is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum At {
    /// Where the issuer's discovery document says.
    Issuer(EndpointUrl),
    /// Here.
    Token(EndpointUrl),
}

/// How the client proves who it is (RFC 6749 section 2.3.1).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum ClientAuth {
    /// In the header `Authorization`.
    #[default]
    Basic,
    /// In the request's body.
    Post,
}

/// The address of an issuer or of a token endpoint, exactly as it is written: an issuer's identifier is compared by its
/// characters (RFC 8414 section 3.3).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EndpointUrl {
    text: String,
    url: Url,
}

/// Parameters that have keys of their own, or are the request's to set.
const RESERVED: &[(&str, &str)] = &[
    ("grant_type", "it is always client_credentials"),
    ("client_id", "`jetond add` asks for it"),
    ("scope", "write it as the key scope"),
    ("audience", "write it as the key audience"),
    ("resource", "write it as the key resource"),
];

/// Parameters that prove who somebody is: they must not be in this file.
const SECRETS: &[&str] = &[
    "assertion",
    "client_assertion",
    "client_secret",
    "code",
    "password",
    "refresh_token",
    "secret",
    "subject_token",
    "token",
];

// === impl EndpointUrl ===

impl EndpointUrl {
    /// Reads an issuer's identifier.
    ///
    /// # Errors
    /// [`InvalidUrl`] says what is wrong with it.
    pub fn issuer(text: &str) -> Result<Self, InvalidUrl> {
        if let Some((issuer, _)) = text.split_once("/.well-known/") {
            return Err(InvalidUrl {
                message: "this is the address of a discovery document; write the issuer's alone, as the document names it".into(),
                suggestion: url::secure(issuer).is_ok().then(|| issuer.to_owned()),
            });
        }
        let url = url::secure(text)?;
        if url.query().is_some() {
            return Err(url::invalid("an issuer's address has no ? part"));
        }
        Ok(Self::new(text, url))
    }

    /// Reads a token endpoint's address; it may have a query (RFC 6749 section 3.2).
    ///
    /// # Errors
    /// [`InvalidUrl`] says what is wrong with it.
    pub fn token(text: &str) -> Result<Self, InvalidUrl> {
        url::secure(text).map(|url| Self::new(text, url))
    }

    fn new(text: &str, url: Url) -> Self {
        let text = text.to_owned();
        Self { text, url }
    }

    /// The address as it is written.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// `scheme://host[:port]`, in lower case and punycode, without the default port.
    pub fn origin(&self) -> String {
        self.url.origin().ascii_serialization()
    }

    /// Whether the host is a loopback address, to which no proxy leads.
    pub fn is_loopback(&self) -> bool {
        url::is_loopback(&self.url)
    }
}

impl fmt::Display for EndpointUrl {
    /// Without the query, which is nobody's business.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.text.split('?').next().unwrap_or_default())
    }
}

// === impl At ===

impl At {
    /// The address that the configuration names.
    pub const fn url(&self) -> &EndpointUrl {
        match self {
            Self::Issuer(url) | Self::Token(url) => url,
        }
    }
}

// === impl ClientAuth ===

impl ClientAuth {
    /// The way as the configuration spells it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Basic => "basic",
            Self::Post => "post",
        }
    }
}

/// Takes one scope: a `scope-token` of RFC 6749 section 3.3.
///
/// # Errors
/// What is wrong with it.
pub fn scope(text: &str) -> Result<String, String> {
    let token = |b: u8| matches!(b, 0x21 | 0x23..=0x5b | 0x5d..=0x7e);
    if text.contains(' ') && !text.trim().is_empty() {
        Err("a scope has no spaces: write each scope as a text of its own".to_owned())
    } else if text.is_empty() || !text.bytes().all(token) {
        Err(
            "this is not a scope: it consists of visible ASCII characters, without \" and \\"
                .to_owned(),
        )
    } else {
        Ok(text.to_owned())
    }
}

/// Takes a resource: an absolute URI without a fragment (RFC 8707 section 2).
///
/// # Errors
/// What is wrong with it.
pub fn resource(text: &str) -> Result<String, String> {
    let visible = text.bytes().all(|b| (0x21..=0x7e).contains(&b));
    if !visible || text.contains('#') || Url::parse(text).is_err() {
        return Err("this is not a resource: it is an absolute URI without # part, such as https://api.example".to_owned());
    }
    Ok(text.to_owned())
}

/// Takes the value of a parameter.
///
/// # Errors
/// What is wrong with it.
pub fn value(text: &str) -> Result<String, String> {
    if text.is_empty() {
        // RFC 6749 section 3.2: a parameter without a value is treated as if it were not there.
        Err("this must not be empty: leave the key out instead".to_owned())
    } else if text.contains(char::is_control) {
        Err("this must not have control characters or line ends in it".to_owned())
    } else {
        Ok(text.to_owned())
    }
}

/// Takes the name of a further parameter (RFC 6749 section 8.2).
///
/// # Errors
/// What is wrong with it.
pub fn parameter(name: &str) -> Result<String, String> {
    let plain = |b: u8| b.is_ascii_alphanumeric() || b"-._".contains(&b);
    let known = name.to_ascii_lowercase().replace('-', "_");
    if SECRETS.contains(&known.as_str()) {
        return Err("this file never holds a credential: remove it, and let `jetond add` ask for it and store it".to_owned());
    }
    if let Some((name, why)) = RESERVED.iter().find(|(name, _)| *name == known) {
        return Err(format!("{name} cannot be set here: {why}"));
    }
    if name.is_empty() || !name.bytes().all(plain) {
        return Err("a parameter's name consists of letters, digits, -, . and _".to_owned());
    }
    Ok(name.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_issuer_stays_as_it_is_written() {
        for (text, origin) in [
            ("https://idp.example", "https://idp.example"),
            ("https://idp.example/", "https://idp.example"),
            ("https://IDP.example:443/realms/x/", "https://idp.example"),
            ("https://idp.example/api/v1", "https://idp.example"),
            ("http://127.0.0.1:9/x", "http://127.0.0.1:9"),
        ] {
            let issuer = EndpointUrl::issuer(text).unwrap();
            assert_eq!((issuer.as_str(), issuer.origin().as_str()), (text, origin));
            assert_eq!(EndpointUrl::token(text).unwrap(), issuer);
        }
        let token = EndpointUrl::token("https://idp.example/t?p=canary").unwrap();
        assert_eq!(token.as_str(), "https://idp.example/t?p=canary");
        assert_eq!(token.to_string(), "https://idp.example/t");
    }

    #[test]
    fn an_address_that_could_send_the_secret_elsewhere_is_refused_without_quoting_it() {
        for bad in [
            "",
            "canary",
            "http://canary.example",
            "http://localhost:1/canary",
            "https://user:canary@idp.example",
            "https://idp.example#canary",
            "https://idp.example.",
            "https:\\\\canary",
            "https://idp.example/a b",
            "ftp://canary",
        ] {
            for parse in [EndpointUrl::issuer, EndpointUrl::token] {
                let e = parse(bad).expect_err(bad);
                assert!(!e.message.contains("canary"), "{e}");
            }
        }
        assert!(EndpointUrl::issuer("https://idp.example?x").is_err());
        let pasted = "https://idp.example/x/.well-known/openid-configuration";
        let e = EndpointUrl::issuer(pasted).unwrap_err();
        assert_eq!(e.suggestion.as_deref(), Some("https://idp.example/x"));
    }

    #[test]
    fn scopes_resources_and_values_are_what_the_standards_say() {
        for good in [
            "a",
            "api.read",
            "https://graph.example/.default",
            "!#[]~",
            "a:b/c",
        ] {
            assert_eq!(scope(good).unwrap(), good);
        }
        for bad in ["", " ", "a b", "a\"b", "a\\b", "a\n", "\u{e9}", "\u{7f}"] {
            scope(bad).expect_err(bad);
        }
        for good in ["https://api.example/x?y", "urn:example:x", "api://app-id"] {
            assert_eq!(resource(good).unwrap(), good);
        }
        for bad in [
            "",
            "api.example",
            "/x",
            "https://a.example#x",
            "https://a.example/ x",
            "https://",
        ] {
            resource(bad).expect_err(bad);
        }
        assert_eq!(value("a b \u{e9}").unwrap(), "a b \u{e9}");
        for bad in ["", "\n", "a\0"] {
            value(bad).expect_err(bad);
        }
    }

    #[test]
    fn a_parameter_that_is_set_elsewhere_or_is_a_secret_is_refused() {
        for good in ["organization", "x.y", "tenant_id", "requested-token-use"] {
            assert_eq!(parameter(good).unwrap(), good);
        }
        for bad in [
            "",
            "a b",
            "a&b",
            "a=b",
            "\u{e9}",
            "grant_type",
            "Scope",
            "client-id",
            "resource",
        ] {
            assert!(
                !parameter(bad).expect_err(bad).contains("never holds"),
                "{bad}"
            );
        }
        for secret in [
            "client_secret",
            "CLIENT-SECRET",
            "password",
            "client_assertion",
        ] {
            assert!(
                parameter(secret)
                    .unwrap_err()
                    .contains("never holds a credential")
            );
        }
    }
}
