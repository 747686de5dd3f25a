//! The error for a token that a format cannot hold.

use std::fmt;

/// The reason why a token cannot be written in a format.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FormatError {
    /// The token is not a JWT.
    NotAJwt,
    /// Programs would read the token from this format in different ways.
    Ambiguous(&'static str),
}

// === impl Unwritable ===

impl fmt::Display for FormatError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotAJwt => f.write_str(
                "the token is not a JWT, so it is not written; if the reader accepts any token, use format = \"raw\"",
            ),
            Self::Ambiguous(format) => write!(
                f,
                "the token has a character that programs read from a {format} file in different ways, so it is not written; use format = \"raw\" or \"json\""
            ),
        }
    }
}

impl std::error::Error for FormatError {}
