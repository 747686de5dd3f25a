//! Why a request has no answer: an error of a library, or a limit of ours.

use std::error::Error;
use std::fmt;

/// Why a request has no answer.
pub(super) type Failure = Box<dyn Error + Send + Sync>;

/// A limit of ours that ended an exchange.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Ended {
    /// It took too long.
    Late,
    /// There were too many interim answers (RFC 9110 section 15.2), or too much of them.
    InterimAnswers,
}

impl fmt::Display for Ended {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Late => "not in time",
            Self::InterimAnswers => "too many interim answers",
        })
    }
}

impl Error for Ended {}
