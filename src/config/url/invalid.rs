//! The error for an invalid address, with a suggestion of what was meant.

use std::fmt;

use ::url::Url;

use super::parts;

/// The reason why an address is refused.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InvalidUrl {
    /// What is wrong with it. It never quotes the address, which may contain a password.
    pub message: String,
    /// How each part of the address was interpreted, with possible secrets hidden. Only for the person who wrote the
    /// address.
    pub pasted: Option<String>,
    /// A suggestion of what was meant.
    pub suggestion: Option<String>,
}

/// The reason for an address that must not have a query or a fragment.
pub(in crate::config) const NO_QUERY: &str = "this address must not have a ? or # part";

/// The last part that an address may have.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(in crate::config) enum LastUrlPart {
    /// A path.
    Path,
    /// A query, with or without a path before it.
    Query,
}

/// Refuses an address that goes on after the last part that it may have. The error says why, and how each part was
/// interpreted.
///
/// # Errors
/// [`InvalidUrl`] with what is suggested instead.
pub(in crate::config) fn demand_no_more(
    url: &Url,
    most: LastUrlPart,
    why: &str,
    suggestion: impl FnOnce() -> String,
) -> Result<(), InvalidUrl> {
    let has_query = url.query().is_some() && most == LastUrlPart::Path;
    if !has_query && url.fragment().is_none() {
        return Ok(());
    }
    Err(InvalidUrl {
        suggestion: Some(suggestion()),
        ..taken_apart(why, url)
    })
}

/// Creates the error for an address, with the whole address and how each part was interpreted.
pub(in crate::config) fn taken_apart(why: &str, url: &Url) -> InvalidUrl {
    InvalidUrl {
        pasted: Some(parts::apart(url)),
        ..invalid(why)
    }
}

/// Creates the error with a reason alone.
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
