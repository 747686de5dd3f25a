//! What commands print, and how they exit.

use std::error::Error;
use std::fmt::Display;
use std::io::Write;
use std::os::unix::process::ExitStatusExt as _;
use std::process::{ExitCode, ExitStatus};

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
    /// As the program that was started for the user ended.
    Child(u8),
}

impl Exit {
    /// As a program ended: with its exit code, or 128 and the number of the signal that ended it, as shells say it.
    pub(super) fn of(status: ExitStatus) -> Self {
        let code = status.code().or_else(|| status.signal().map(|n| 128 + n));
        let code = code.and_then(|code| u8::try_from(code).ok());
        code.map_or(Self::Failed, Self::Child)
    }
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(match exit {
            Exit::Done => 0,
            Exit::Failed => 1,
            Exit::Usage => 64,
            Exit::Later => 75,
            Exit::Config => 78,
            Exit::Child(code) => code,
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_programs_end_is_told_as_a_shell_would() {
        for (raw, code) in [(0, 0), (3 << 8, 3), (255 << 8, 255), (15, 143), (9, 137)] {
            assert_eq!(Exit::of(ExitStatus::from_raw(raw)), Exit::Child(code));
        }
    }
}
