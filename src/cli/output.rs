//! What commands print, and how they exit.

use std::error::Error;
use std::fmt::Display;
use std::io;
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::process::ExitStatusExt as _;
use std::process::{ExitCode, ExitStatus};
use std::sync::atomic::{AtomicBool, Ordering};

use rustix::event::{PollFd, PollFlags, poll};
use rustix::io::Errno;
use rustix::stdio::stdout;
use tracing::Level;

use crate::causes::Causes;
use crate::process::logging;

/// Whether something that was to be printed is lost. There is one standard output for the whole process.
static LOST: AtomicBool = AtomicBool::new(false);

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

/// Prints a line that was asked for. Where it cannot be printed, [`finish`] says how the command ends; what the command
/// does is done all the same.
pub(super) fn say(line: impl Display) {
    print(&format!("{}\n", logging::printable(&line.to_string())));
}

/// Prints what was done; where that cannot be printed, it is told.
pub(super) fn report(line: impl Display) {
    say(&line);
    if is_lost() {
        tell(line);
    }
}

/// Prints a text as it is. Not by way of the standard library, which takes a closed descriptor for a success.
pub(super) fn print(text: &str) {
    if !is_lost() {
        printed(write_all(stdout(), text.as_bytes()));
    }
}

/// Takes note of what came of printing. The first failure is told, with the system's word; what follows is lost as well.
pub(super) fn printed(result: io::Result<()>) {
    if let Err(error) = result
        && !LOST.swap(true, Ordering::Relaxed)
    {
        tell(format!("cannot write to standard output: {error}"));
    }
}

/// Whether nothing more can be printed: a command that does nothing else can end.
pub(super) fn is_lost() -> bool {
    LOST.load(Ordering::Relaxed)
}

/// How the process ends when a command ends so: not with a success when what it printed did not arrive.
pub(super) fn finish(exit: Exit) -> Exit {
    if exit == Exit::Done && is_lost() {
        Exit::Failed
    } else {
        exit
    }
}

/// Writes everything, through interruptions, short writes and a descriptor that does not block.
fn write_all(fd: BorrowedFd<'_>, mut bytes: &[u8]) -> io::Result<()> {
    while !bytes.is_empty() {
        match rustix::io::write(fd, bytes) {
            Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
            Ok(n) => bytes = bytes.get(n..).unwrap_or_default(),
            Err(Errno::INTR) => {}
            Err(Errno::AGAIN) => {
                // Whatever it says, the next write tells.
                let fd = fd.as_fd();
                let _: rustix::io::Result<usize> =
                    poll(&mut [PollFd::new(&fd, PollFlags::OUT)], None);
            }
            Err(error) => return Err(error.into()),
        }
    }
    Ok(())
}

/// Prints a line for people, on standard error. It never fails, and a command that must not wait does not.
pub(super) fn tell(line: impl Display) {
    logging::tell(Level::WARN, line);
}

/// Tells what went wrong, and ends so.
pub(super) fn fail(exit: Exit, line: impl Display) -> Exit {
    logging::tell(Level::ERROR, line);
    exit
}

/// Tells an error with its causes, and ends so.
pub(super) fn fail_with(exit: Exit, error: &dyn Error) -> Exit {
    fail(exit, Causes(error))
}

#[cfg(test)]
#[expect(
    clippy::disallowed_methods,
    reason = "a test that gets no thread fails, and may"
)]
mod tests {
    use super::*;

    #[test]
    fn a_write_goes_on_until_all_is_written_or_the_system_says_why_not() {
        let (reader, writer) = io::pipe().unwrap();
        rustix::io::ioctl_fionbio(&writer, true).unwrap();
        let text = vec![b'x'; 300_000];
        let all = std::thread::scope(|scope| {
            let writing = scope.spawn(|| {
                let written = write_all(writer.as_fd(), &text);
                drop(writer);
                written
            });
            let mut read = vec![];
            io::Read::read_to_end(&mut &reader, &mut read).unwrap();
            writing.join().unwrap().unwrap();
            read
        });
        assert!(all == text);
        let full = std::fs::File::options().write(true).open("/dev/full");
        let why = write_all(full.unwrap().as_fd(), b"x").unwrap_err();
        assert_eq!(Errno::from_io_error(&why), Some(Errno::NOSPC));
    }

    #[test]
    fn a_programs_end_is_told_as_a_shell_would() {
        for (raw, code) in [(0, 0), (3 << 8, 3), (255 << 8, 255), (15, 143), (9, 137)] {
            assert_eq!(Exit::of(ExitStatus::from_raw(raw)), Exit::Child(code));
        }
    }
}
