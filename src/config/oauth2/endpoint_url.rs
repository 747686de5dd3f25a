//! The address of an issuer or of a token endpoint.

use std::fmt;

use ::url::Url;

use crate::config::url::{self, InvalidUrl, Origin};

/// The address of an issuer or of a token endpoint, exactly as written: issuer identifiers are compared character by
/// character (RFC 8414 section 3.3).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EndpointUrl {
    text: String,
    url: Url,
}

// === impl EndpointUrl ===

impl EndpointUrl {
    /// Reads an issuer's identifier.
    ///
    /// # Errors
    /// [`InvalidUrl`] if it is not valid.
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
    /// [`InvalidUrl`] if it is not valid.
    pub fn token(text: &str) -> Result<Self, InvalidUrl> {
        url::secure(text).map(|url| Self::new(text, url))
    }

    fn new(text: &str, url: Url) -> Self {
        let text = text.to_owned();
        Self { text, url }
    }

    /// The address as written.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// The address that requests go to, including its query.
    pub const fn url(&self) -> &Url {
        &self.url
    }

    /// Its path without final slashes.
    pub fn path(&self) -> &str {
        self.url.path().trim_end_matches('/')
    }

    /// Its origin.
    pub fn origin(&self) -> Origin {
        Origin::of(&self.url)
    }
}

impl fmt::Display for EndpointUrl {
    /// Without the query, which may hold private data.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.text.split('?').next().unwrap_or_default())
    }
}
