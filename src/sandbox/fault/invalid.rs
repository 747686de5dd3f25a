//! The reason why a text is not a fault.

use std::fmt;

/// The reason why a text is not a fault. It never quotes the text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum InvalidFault {
    /// No fault has this name.
    Unknown,
    /// The fault takes no argument.
    NoArgument,
    /// The argument is missing or invalid for this fault.
    Argument,
}

// === impl InvalidFault ===

impl fmt::Display for InvalidFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Unknown => "no fault has this name",
            Self::NoArgument => "this fault takes no argument",
            Self::Argument => "this fault needs another argument",
        })
    }
}

impl std::error::Error for InvalidFault {}
