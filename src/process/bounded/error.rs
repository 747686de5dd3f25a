//! The error of a program that was run for its output.

use std::fmt;
use std::io;
use std::process::ExitStatus;
use std::time::Duration;

/// The reason why a run has no output.
#[derive(Debug)]
pub enum RunError {
    /// The program cannot be started or watched.
    Start(io::Error),
    /// It did not end within this time.
    Late(Duration),
    /// It printed more than this many bytes.
    TooLong(usize),
    /// It ended with a status other than success.
    Failed(ExitStatus),
    /// This process is ending, and starts no more programs.
    Ending,
}

// === impl RunError ===

impl RunError {
    /// Returns the system's error, if the program was not started.
    pub const fn system(&self) -> Option<&io::Error> {
        match self {
            Self::Start(error) => Some(error),
            Self::Late(_) | Self::TooLong(_) | Self::Failed(_) | Self::Ending => None,
        }
    }
}

impl fmt::Display for RunError {
    /// Writes a clause that follows the program's name.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Start(error) => write!(f, "cannot be started ({error})"),
            Self::Late(limit) => write!(
                f,
                "had not ended after {} s, and was killed with all that it had started",
                limit.as_secs()
            ),
            Self::TooLong(limit) => {
                write!(f, "printed more than {limit} bytes, and was killed")
            }
            Self::Failed(status) => write!(f, "failed ({status})"),
            Self::Ending => f.write_str("was not started, since the daemon is stopping"),
        }
    }
}

impl std::error::Error for RunError {}
