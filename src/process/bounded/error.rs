//! Why a program that was run for what it prints has no output.

use std::fmt;
use std::io;
use std::process::ExitStatus;
use std::time::Duration;

/// Why a run has no output.
#[derive(Debug)]
pub enum RunError {
    /// The program cannot be started, or not be watched.
    Start(io::Error),
    /// It had not ended in time.
    Late(Duration),
    /// It printed more than this many bytes.
    TooLong(usize),
    /// It ended with a status that is not success.
    Failed(ExitStatus),
    /// This process is ending, and starts no programs any more.
    Ending,
}

// === impl RunError ===

impl RunError {
    /// The system's error, if the program was not started.
    pub const fn system(&self) -> Option<&io::Error> {
        match self {
            Self::Start(error) => Some(error),
            Self::Late(_) | Self::TooLong(_) | Self::Failed(_) | Self::Ending => None,
        }
    }
}

impl fmt::Display for RunError {
    /// To follow the program.
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
