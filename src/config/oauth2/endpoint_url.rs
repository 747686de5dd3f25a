//! The address of an issuer or of a token endpoint.

use std::fmt;

use ::url::Url;

use crate::config::url::{self, InvalidUrl, LastUrlPart, Origin};

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
        if let Some((before, document)) = text.split_once("/.well-known/") {
            // RFC 8414 section 3.1 puts the issuer's path after the document's name.
            let document = document.split(['?', '#']).next().unwrap_or_default();
            let path = document.split_once('/').map_or("", |(_, path)| path);
            let issuer = match path {
                "" => before.to_owned(),
                path => format!("{before}/{path}"),
            };
            let why = "this is the address of a discovery document; write the issuer's alone, as the document names it";
            let suggestion = Self::issuer(&issuer).is_ok().then_some(issuer);
            return Err(InvalidUrl {
                suggestion,
                ..url::secure(text)
                    .map_or_else(|_| url::invalid(why), |url| url::taken_apart(why, &url))
            });
        }
        let url = url::secure(text)?;
        let suggestion = || format!("{}{}", Origin::of(&url), url.path());
        url::demand_no_more(
            &url,
            LastUrlPart::Path,
            "an issuer's address has no ? or # part",
            suggestion,
        )?;
        Ok(Self::new(text, url))
    }

    /// Reads a token endpoint's address; it may have a query (RFC 6749 section 3.2).
    ///
    /// # Errors
    /// [`InvalidUrl`] if it is not valid.
    pub fn token(text: &str) -> Result<Self, InvalidUrl> {
        let url = url::secure(text)?;
        let suggestion = || {
            let mut less = url.clone();
            less.set_fragment(None);
            url::shown(&less)
        };
        url::demand_no_more(
            &url,
            LastUrlPart::Query,
            "a token endpoint's address has no # part",
            suggestion,
        )?;
        Ok(Self::new(text, url))
    }

    fn new(text: &str, url: Url) -> Self {
        let text = text.to_owned();
        Self { text, url }
    }

    /// Returns the address as written.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// Returns the address that requests go to, including its query.
    pub const fn url(&self) -> &Url {
        &self.url
    }

    /// Returns the whole address, with possible secrets in its query hidden.
    pub fn shown(&self) -> String {
        url::shown(&self.url)
    }

    /// Returns its path without trailing slashes.
    pub fn path(&self) -> &str {
        self.url.path().trim_end_matches('/')
    }

    /// Returns its origin.
    pub fn origin(&self) -> Origin {
        Origin::of(&self.url)
    }
}

impl fmt::Display for EndpointUrl {
    /// Writes the address without the query, which may hold private data.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.text.split('?').next().unwrap_or_default())
    }
}
