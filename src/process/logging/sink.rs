//! Standard error, for the thread that may block on it and for threads that may not.

use std::io::{self, Write};
use std::os::fd::{AsFd as _, BorrowedFd};
use std::time::Duration;

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::Errno;

/// How many bytes a ready pipe accepts without blocking, and atomically (PIPE_BUF, pipe(7)).
pub(super) const ATOMIC: usize = if cfg!(target_os = "linux") { 4096 } else { 512 };

/// The pause after a write that fails although `poll` reported readiness: a terminal may have room for one byte but not
/// for a line end.
const NAP: Duration = Duration::from_millis(20);

/// Standard error.
pub(super) struct Stderr {
    /// How long a write may wait until it can begin; `None` means forever.
    pub(super) patience: Option<Duration>,
}

impl Write for Stderr {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let stderr = io::stderr();
        match self.patience {
            None => write_waiting(stderr.as_fd(), bytes),
            Some(patience) => write_within(stderr.as_fd(), bytes, patience),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Reports whether standard error accepts more now.
pub(super) fn can_take() -> bool {
    is_ready(io::stderr().as_fd(), Some(Duration::ZERO)).unwrap_or(false)
}

/// Writes, and waits until that is possible, even if another process made the shared file non-blocking.
fn write_waiting(fd: BorrowedFd<'_>, bytes: &[u8]) -> io::Result<usize> {
    let mut was_ready = false;
    loop {
        match rustix::io::write(fd, bytes) {
            Err(Errno::AGAIN) => {
                if was_ready {
                    nap();
                }
                was_ready = is_ready(fd, None)?;
            }
            written => return Ok(written?),
        }
    }
}

/// Writes some of the bytes, if the write can begin within `patience`.
fn write_within(fd: BorrowedFd<'_>, bytes: &[u8], patience: Duration) -> io::Result<usize> {
    if !is_ready(fd, Some(patience))? {
        return Err(io::ErrorKind::WouldBlock.into());
    }
    let bytes = bytes.get(..ATOMIC).unwrap_or(bytes);
    Ok(rustix::io::write(fd, bytes)?)
}

/// Waits until a write can begin or fail; returns `false` if that takes longer than `patience`.
fn is_ready(fd: BorrowedFd<'_>, patience: Option<Duration>) -> io::Result<bool> {
    let patience = patience.and_then(|patience| Timespec::try_from(patience).ok());
    let mut fds = [PollFd::from_borrowed_fd(fd, PollFlags::OUT)];
    Ok(poll(&mut fds, patience.as_ref())? > 0)
}

#[expect(
    clippy::disallowed_methods,
    reason = "the log's thread has no event loop"
)]
fn nap() {
    std::thread::sleep(NAP);
}

#[cfg(test)]
#[expect(
    clippy::disallowed_methods,
    reason = "a test may panic if it cannot start a thread"
)]
mod tests {
    use std::os::unix::net::UnixStream;

    use super::*;

    /// Creates a socket pair whose buffer is full, like a full pipe, and returns how many bytes it took.
    fn full() -> (UnixStream, UnixStream, usize) {
        let (reader, writer) = UnixStream::pair().unwrap();
        let mut taken = 0;
        while let Ok(n @ 1..) = write_within(writer.as_fd(), &[0; 10_000], Duration::ZERO) {
            assert!(n <= ATOMIC);
            taken += n;
        }
        (reader, writer, taken)
    }

    #[test]
    fn a_write_that_cannot_start_in_time_is_not_started() {
        let (reader, writer, taken) = full();
        assert!(taken > ATOMIC);
        for patience in [0, 5] {
            let patience = Duration::from_millis(patience);
            let error = write_within(writer.as_fd(), b"line\n", patience).unwrap_err();
            assert_eq!(error.kind(), io::ErrorKind::WouldBlock);
        }
        drop(reader);
        let error = write_within(writer.as_fd(), b"line\n", Duration::from_secs(600)).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::BrokenPipe);
    }

    #[test]
    fn a_write_to_a_non_blocking_file_waits_until_it_is_writable() {
        use std::io::Read as _;
        let (mut reader, writer, mut taken) = full();
        writer.set_nonblocking(true).unwrap();
        std::thread::scope(|scope| {
            let write = scope.spawn(|| write_waiting(writer.as_fd(), b"line\n").unwrap());
            let mut bytes = [0; 4096];
            while taken > 0 {
                taken -= reader.read(&mut bytes).unwrap();
            }
            assert_eq!(write.join().unwrap(), 5);
        });
    }
}
