//! What commands print, and how they exit.

use std::error::Error;
use std::fmt::Display;
use std::io::Write;
use std::process::ExitCode;

use crate::causes::Causes;

/// How a command ends (sysexits.h, but for 1).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Exit {
    /// 0.
    Done,
    /// 1: the issuer refuses, or a fault of ours.
    Failed,
    /// 64: the arguments make no sense.
    Usage,
    /// 75: try again later.
    Later,
    /// 78: something on this machine has to be put right.
    Config,
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(match exit {
            Exit::Done => 0,
            Exit::Failed => 1,
            Exit::Usage => 64,
            Exit::Later => 75,
            Exit::Config => 78,
        })
    }
}

/// Prints a line that was asked for. A reader that has gone away is no failure.
pub(super) fn say(line: impl Display) {
    let _: std::io::Result<()> = writeln!(std::io::stdout().lock(), "{line}");
}

/// Prints a line for people, on standard error.
pub(super) fn tell(line: impl Display) {
    let _: std::io::Result<()> = writeln!(std::io::stderr().lock(), "jetond: {line}");
}

/// Tells what went wrong, and ends so.
pub(super) fn fail(exit: Exit, line: impl Display) -> Exit {
    tell(line);
    exit
}

/// Tells an error with its causes, and ends so.
pub(super) fn fail_with(exit: Exit, error: &dyn Error) -> Exit {
    fail(exit, Causes(error))
}
