//! The deadline of a call, and waits that respect it.

use core::cell::Cell;

use crate::output::{self, Exit, TRY_AGAIN, complain, complain_of};
use crate::sys::{self, Errno, PollFd, errno};

/// A call's limits in milliseconds; `None` means no deadline (`watch`). They start with the companion's first wait. Most
/// calls wait once, and so do not need to read the clock, which is a system call here: the kernel tells how long the wait
/// took.
pub(crate) struct Deadline {
    /// How long the daemon may take, as sent to it.
    daemon_limit: Option<u32>,
    /// How much longer the companion waits, if the caller chose how long the daemon waits (`ready --wait`). This lets
    /// the reply still arrive.
    grace: u32,
    /// The start of the limits, in milliseconds of the monotonic clock; `None` until the clock is read.
    began: Cell<Option<u64>>,
    /// How long the wait took that needed no clock. The limits started so long before the clock is read.
    waited: Cell<u32>,
    /// A descriptor of the process whose end also ends the call; negative if there is none.
    process: i32,
}

impl Deadline {
    pub(crate) fn never() -> Self {
        Self {
            daemon_limit: None,
            grace: 0,
            began: Cell::new(None),
            waited: Cell::new(0),
            process: -1,
        }
    }

    pub(crate) fn after(ms: u32, grace_ms: u32) -> Self {
        Self {
            daemon_limit: Some(ms),
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
        self.daemon_limit
            .map(|daemon_limit| match (self.began.get(), self.waited.get()) {
                (None, 0) => daemon_limit,
                _ => self.left(daemon_limit),
            })
    }

    /// Reports whether the daemon's deadline has passed.
    pub(crate) fn daemon_deadline_passed(&self) -> bool {
        self.daemon_limit
            .is_some_and(|daemon_limit| self.left(daemon_limit) == 0)
    }

    /// Returns the rest of a limit of `ms` milliseconds. The limits start now if they have not started before.
    #[inline(never)]
    fn left(&self, ms: u32) -> u32 {
        let now = sys::now_ms();
        let began = self.began.get();
        let began = began.unwrap_or(now.saturating_sub(self.waited.get().into()));
        self.began.set(Some(began));
        let passed = now.saturating_sub(began);
        ms.saturating_sub(u32::try_from(passed).unwrap_or(u32::MAX))
    }

    /// Returns the timeout for `poll`; -1 means no timeout.
    #[inline(never)]
    fn poll_ms(&self) -> Result<i32, Exit> {
        let Some(daemon_limit) = self.daemon_limit else {
            return Ok(-1);
        };
        match self.left(daemon_limit.saturating_add(self.grace)) {
            0 => Err(late()),
            left => Ok(i32::try_from(left).unwrap_or(i32::MAX)),
        }
    }

    /// Calls `poll` with the rest of the limits as its timeout.
    fn poll(&self, fds: &mut [PollFd]) -> Result<Result<usize, Errno>, Exit> {
        match (self.daemon_limit, self.began.get(), self.waited.get()) {
            (Some(daemon_limit), None, 0) => {
                let most = daemon_limit.saturating_add(self.grace);
                let mut left = most;
                let polled = sys::poll_within(fds, &mut left);
                self.waited.set(most - left);
                Ok(polled)
            }
            _ => Ok(sys::poll(fds, self.poll_ms()?)),
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
            match self.poll(&mut fds)? {
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
