//! The reason why a request has no answer: an error of a library, or an exceeded limit.

use std::error::Error;
use std::fmt;

/// The reason why a request has no answer.
pub(super) type Failure = Box<dyn Error + Send + Sync>;

/// A limit that an exchange exceeded.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Exceeded {
    /// The deadline of the connection or of the exchange.
    Deadline,
    /// The limit to interim answers (RFC 9110 section 15.2), by their number or their bytes.
    InterimAnswers,
}

impl fmt::Display for Exceeded {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Deadline => "deadline exceeded",
            Self::InterimAnswers => "too many interim answers",
        })
    }
}

impl Error for Exceeded {}
