//! Why an address is refused, and what is suggested instead.

use std::fmt;

use ::url::Url;

use super::parts;

/// Why an address is refused.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InvalidUrl {
    /// What is wrong with it. It never quotes the address, which may contain a password.
    pub message: String,
    /// What it was taken for, with what may be a secret hidden. Only for the person who wrote the address.
    pub pasted: Option<String>,
    /// A suggestion of what was meant.
    pub suggestion: Option<String>,
}

/// Why an address is refused that has no place for a query.
pub(in crate::config) const NO_QUERY: &str = "this address must not have a ? or # part";

/// The last part that an address may have.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(in crate::config) enum Most {
    /// A path.
    Path,
    /// A query, behind a path or none.
    Query,
}

/// Refuses an address with another part behind the last one that it may have: says why, and what was taken for what.
///
/// # Errors
/// [`InvalidUrl`] with what is suggested instead.
pub(in crate::config) fn demand_no_more(
    url: &Url,
    most: Most,
    why: &str,
    suggestion: impl FnOnce() -> String,
) -> Result<(), InvalidUrl> {
    let has_query = url.query().is_some() && most == Most::Path;
    if !has_query && url.fragment().is_none() {
        return Ok(());
    }
    Err(InvalidUrl {
        suggestion: Some(suggestion()),
        ..taken_apart(why, url)
    })
}

/// Why an address is refused, with the whole of it and what each part was taken for.
pub(in crate::config) fn taken_apart(why: &str, url: &Url) -> InvalidUrl {
    InvalidUrl {
        pasted: Some(parts::apart(url)),
        ..invalid(why)
    }
}

/// A refusal without more than its reason.
pub(in crate::config) fn invalid(message: impl Into<String>) -> InvalidUrl {
    InvalidUrl {
        message: message.into(),
        pasted: None,
        suggestion: None,
    }
}

// === impl InvalidUrl ===

impl fmt::Display for InvalidUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)?;
        if let Some(pasted) = &self.pasted {
            write!(f, ": {pasted}")?;
        }
        match &self.suggestion {
            Some(suggestion) => write!(f, " (did you mean {suggestion}?)"),
            None => Ok(()),
        }
    }
}

impl std::error::Error for InvalidUrl {}
