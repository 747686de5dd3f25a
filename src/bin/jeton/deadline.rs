//! The deadline of a call, and waiting until then.

use core::cell::Cell;

use crate::output::{self, Exit, TRY_AGAIN, complain, complain_of};
use crate::sys::{self, PollFd, errno};

/// A call's limits in milliseconds; `None` means no deadline (`watch`). They count from the first time that the companion
/// waits: most calls never do, and need not read the clock, which is a system call here.
pub(crate) struct Deadline {
    /// How long the daemon may take.
    told: Option<u32>,
    /// How much longer the companion waits, where the caller chose how long the daemon waits (`ready --wait`), so that
    /// the answer still arrives.
    grace: u32,
    /// When the limits began to count, in milliseconds of the monotonic clock; `None` before the first wait.
    began: Cell<Option<u64>>,
    /// The process whose end is the end of the call too, as a descriptor; negative for none.
    process: i32,
}

impl Deadline {
    pub(crate) fn never() -> Self {
        Self {
            told: None,
            grace: 0,
            began: Cell::new(None),
            process: -1,
        }
    }

    pub(crate) fn after(ms: u32, grace_ms: u32) -> Self {
        Self {
            told: Some(ms),
            grace: grace_ms,
            ..Self::never()
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
        self.told.map(|told| match self.began.get() {
            Some(_) => self.left(told),
            None => told,
        })
    }

    /// Whether the daemon's deadline has passed.
    pub(crate) fn told_is_over(&self) -> bool {
        self.told.is_some_and(|told| self.left(told) == 0)
    }

    /// What is left of `ms`, which begin to count now if they did not before.
    #[inline(never)]
    fn left(&self, ms: u32) -> u32 {
        let now = sys::now_ms();
        let began = self.began.get().unwrap_or(now);
        self.began.set(Some(began));
        let passed = now.saturating_sub(began);
        ms.saturating_sub(u32::try_from(passed).unwrap_or(u32::MAX))
    }

    /// The timeout for `poll`; -1 means no timeout.
    #[inline(never)]
    fn poll_ms(&self) -> Result<i32, Exit> {
        let Some(told) = self.told else {
            return Ok(-1);
        };
        match self.left(told.saturating_add(self.grace)) {
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
