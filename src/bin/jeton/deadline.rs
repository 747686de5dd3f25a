//! The deadline of a call, and waits that respect it.

use core::cell::Cell;

use crate::output::{self, Exit, TRY_AGAIN, complain, complain_of};
use crate::sys::{self, PollFd, errno};

/// A call's limits in milliseconds; `None` means no deadline (`watch`). They start with the companion's first wait:
/// most calls never wait, and so do not need to read the clock, which is a system call here.
pub(crate) struct Deadline {
    /// How long the daemon may take, as sent to it.
    told: Option<u32>,
    /// How much longer the companion waits, if the caller chose how long the daemon waits (`ready --wait`). This lets
    /// the reply still arrive.
    grace: u32,
    /// The start of the limits, in milliseconds of the monotonic clock; `None` before the first wait.
    began: Cell<Option<u64>>,
    /// A descriptor of the process whose end also ends the call; negative if there is none.
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

    /// Also ends the call when the process with this ID ends. Otherwise, a request that the daemon has not accepted
    /// before its end would wait in the service manager's socket for the next daemon.
    #[cold]
    pub(crate) fn end_with(&mut self, pid: u32) -> Result<(), Exit> {
        match sys::process(pid) {
            Ok(process) => self.process = process,
            Err(errno::ESRCH) => return Err(ended()),
            // The kernel is too old to support this.
            Err(_) => {}
        }
        Ok(())
    }

    /// Returns the milliseconds until the daemon's deadline.
    pub(crate) fn left_ms(&self) -> Option<u32> {
        self.told.map(|told| match self.began.get() {
            Some(_) => self.left(told),
            None => told,
        })
    }

    /// Reports whether the daemon's deadline has passed.
    pub(crate) fn told_is_over(&self) -> bool {
        self.told.is_some_and(|told| self.left(told) == 0)
    }

    /// Returns the rest of a limit of `ms` milliseconds. The limits start now if they have not started before.
    #[inline(never)]
    fn left(&self, ms: u32) -> u32 {
        let now = sys::now_ms();
        let began = self.began.get().unwrap_or(now);
        self.began.set(Some(began));
        let passed = now.saturating_sub(began);
        ms.saturating_sub(u32::try_from(passed).unwrap_or(u32::MAX))
    }

    /// Returns the timeout for `poll`; -1 means no timeout.
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

    /// Waits until the descriptor is ready for `events` or has failed; the next call on it then returns the error.
    ///
    /// With `reader`, the wait also ends when standard output has lost its reader: a `watch` that waits for hours must
    /// not outlive its pipe.
    pub(crate) fn wait(&self, fd: i32, events: i16, reader: bool) -> Result<(), Exit> {
        // poll skips negative descriptors.
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

    /// Sleeps for `ms` milliseconds, but not beyond the deadline.
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

/// Reports a failed system call for which the only remedy is a retry.
#[cold]
#[inline(never)]
pub(crate) fn sys_failed(call: &[u8], error: sys::Errno) -> Exit {
    complain_of(TRY_AGAIN, &[call, b" failed: "], error)
}
