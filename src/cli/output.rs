//! The output of commands, and their exit codes.

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

/// Whether some output was lost. The process has only one standard output.
static LOST: AtomicBool = AtomicBool::new(false);

/// The exit codes (sysexits.h, but for 1).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Exit {
    /// 0.
    Done,
    /// 1: the issuer refuses, or Jeton has failed.
    Failed,
    /// 64: the arguments are wrong.
    Usage,
    /// 75: try again later.
    Later,
    /// 78: the configuration or the machine has to be corrected.
    Config,
    /// The exit code of the program that was started for the user.
    Child(u8),
}

impl Exit {
    /// The exit code for a program's end: its own, or 128 plus the number of the signal that ended it, as in a shell.
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

/// Prints a line that was asked for. If printing fails, the command continues, and [`finish`] sets the exit code.
pub(super) fn print_line(line: impl Display) {
    print(&format!("{}\n", logging::printable(&line.to_string())));
}

/// Prints what was done; if that fails, prints it on standard error.
pub(super) fn report(line: impl Display) {
    print_line(&line);
    if is_lost() {
        print_note(line);
    }
}

/// Prints a text unchanged. Does not use the standard library, which reports success for a closed descriptor.
pub(super) fn print(text: &str) {
    if !is_lost() {
        printed(write_all(stdout(), text.as_bytes()));
    }
}

/// Records the result of printing. Reports the first failure with the system's error; later output is lost as well.
pub(super) fn printed(result: io::Result<()>) {
    if let Err(error) = result
        && !LOST.swap(true, Ordering::Relaxed)
    {
        print_note(format!("cannot write to standard output: {error}"));
    }
}

/// Whether nothing more can be printed, so that a command without another purpose can end.
pub(super) fn is_lost() -> bool {
    LOST.load(Ordering::Relaxed)
}

/// The exit code of the process: not 0 if some output was lost.
pub(super) fn finish(exit: Exit) -> Exit {
    if exit == Exit::Done && is_lost() {
        Exit::Failed
    } else {
        exit
    }
}

/// Writes all bytes, despite interruptions, short writes and a non-blocking descriptor.
fn write_all(fd: BorrowedFd<'_>, mut bytes: &[u8]) -> io::Result<()> {
    while !bytes.is_empty() {
        match rustix::io::write(fd, bytes) {
            Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
            Ok(n) => bytes = bytes.get(n..).unwrap_or_default(),
            Err(Errno::INTR) => {}
            Err(Errno::AGAIN) => {
                // The result is ignored: the next write reports an error.
                let fd = fd.as_fd();
                let _: rustix::io::Result<usize> =
                    poll(&mut [PollFd::new(&fd, PollFlags::OUT)], None);
            }
            Err(error) => return Err(error.into()),
        }
    }
    Ok(())
}

/// Prints a line for people on standard error. It never fails, and does not block a command that must not wait.
pub(super) fn print_note(line: impl Display) {
    logging::tell(Level::WARN, line);
}

/// Prints an error, and returns the exit code.
pub(super) fn fail(exit: Exit, line: impl Display) -> Exit {
    logging::tell(Level::ERROR, line);
    exit
}

/// Prints an error with its causes, and returns the exit code.
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
    fn a_write_continues_until_complete_or_a_system_error() {
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
    fn an_exit_status_maps_to_the_exit_code_of_a_shell() {
        for (raw, code) in [(0, 0), (3 << 8, 3), (255 << 8, 255), (15, 143), (9, 137)] {
            assert_eq!(Exit::of(ExitStatus::from_raw(raw)), Exit::Child(code));
        }
    }
}
