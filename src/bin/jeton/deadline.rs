//! The deadline of a call, and waiting until then.

use crate::output::{self, Exit, TRY_AGAIN, complain, complain_of};
use crate::sys::{self, PollFd, errno};

/// In milliseconds of the monotonic clock; `None` means no deadline (`watch`).
pub(crate) struct Deadline {
    /// The deadline that the daemon gets.
    told: Option<u64>,
    /// When the companion gives up. Later than `told` where the caller chose how long the daemon waits
    /// (`ready --wait`), so that the answer still arrives.
    ours: Option<u64>,
    /// The process whose end is the end of the call too, as a descriptor; negative for none.
    process: i32,
}

impl Deadline {
    pub(crate) fn never() -> Self {
        Self {
            told: None,
            ours: None,
            process: -1,
        }
    }

    pub(crate) fn after(ms: u32, grace_ms: u32) -> Self {
        let told = sys::now_ms().saturating_add(u64::from(ms));
        Self {
            told: Some(told),
            ours: Some(told.saturating_add(u64::from(grace_ms))),
            process: -1,
        }
    }

    /// Also ends when the process with this number does. Without it a request that a daemon has not accepted when it ends
    /// would wait in the service manager's socket for the next daemon.
    #[cold]
    pub(crate) fn end_with(&mut self, pid: u32) -> Result<(), Exit> {
        match sys::process(pid) {
            Ok(process) => self.process = process,
            Err(errno::ESRCH) => return Err(ended()),
            // An old kernel.
            Err(_) => {}
        }
        Ok(())
    }

    /// The milliseconds until the daemon's deadline.
    pub(crate) fn left_ms(&self) -> Option<u32> {
        self.told
            .map(|at| u32::try_from(at.saturating_sub(sys::now_ms())).unwrap_or(u32::MAX))
    }

    /// Whether the daemon's deadline has passed.
    pub(crate) fn told_is_over(&self) -> bool {
        self.left_ms() == Some(0)
    }

    /// The timeout for `poll`; -1 means no timeout.
    #[inline(never)]
    fn poll_ms(&self) -> Result<i32, Exit> {
        let Some(at) = self.ours else { return Ok(-1) };
        match at.saturating_sub(sys::now_ms()) {
            0 => Err(late()),
            left => Ok(i32::try_from(left).unwrap_or(i32::MAX)),
        }
    }

    /// Waits until the descriptor is ready for `events` or has failed; the next call on it returns the error.
    ///
    /// With `reader`, also ends when standard output has lost its reader: a `watch` that waits for hours must not
    /// outlive its pipe.
    pub(crate) fn wait(&self, fd: i32, events: i16, reader: bool) -> Result<(), Exit> {
        // poll skips a negative descriptor.
        let mut fds = [
            PollFd::new(fd, events),
            PollFd::new(if reader { 1 } else { -1 }, 0),
            PollFd::new(self.process, sys::POLLIN),
        ];
        loop {
            match sys::poll(&mut fds, self.poll_ms()?) {
                Err(errno::EINTR) | Ok(0) => continue,
                Err(error) => return Err(sys_failed(b"poll", error)),
                Ok(_) => {}
            }
            let [awaited, stdout, process] = &fds;
            if awaited.is_ready() {
                return Ok(());
            }
            if stdout.is_ready() {
                return Err(output::reader_gone());
            }
            if process.is_ready() {
                return Err(ended());
            }
        }
    }

    /// Sleeps, but not beyond the deadline.
    pub(crate) fn pause(&self, ms: i32) -> Result<(), Exit> {
        let left = self.poll_ms()?;
        let _ = sys::poll(&mut [], if left < 0 { ms } else { ms.min(left) });
        Ok(())
    }
}

#[cold]
fn ended() -> Exit {
    complain(TRY_AGAIN, &[b"the daemon ended before it answered"])
}

#[cold]
fn late() -> Exit {
    complain(
        TRY_AGAIN,
        &[b"no answer in time; try again, or give it longer with --timeout"],
    )
}

/// Reports a failed system call for which the only remedy is to try again.
#[cold]
#[inline(never)]
pub(crate) fn sys_failed(call: &[u8], error: sys::Errno) -> Exit {
    complain_of(TRY_AGAIN, &[call, b" failed: "], error)
}
