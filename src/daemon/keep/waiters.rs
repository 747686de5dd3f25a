//! State that a profile's handles and its attempt share without the keeper: how many callers wait for a token, and
//! since when the attempt has been waiting for its turn at the issuer.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use tokio::sync::watch;

use crate::instant::BootInstant;

/// Counts the callers that wait for one profile's token, and times its queued attempt.
#[derive(Debug)]
pub(super) struct Waiters {
    callers: watch::Sender<usize>,
    /// Nanoseconds of the boot clock; 0 while no attempt waits.
    queued_since: AtomicU64,
}

/// A waiting caller, counted until dropped.
pub(super) struct Caller<'a>(&'a Waiters);

/// An attempt that waits for its turn, until dropped.
pub(super) struct Queued<'a>(&'a Waiters);

// === impl Waiters ===

impl Default for Waiters {
    fn default() -> Self {
        Self {
            callers: watch::channel(0).0,
            queued_since: AtomicU64::new(0),
        }
    }
}

impl Waiters {
    /// Counts a waiting caller.
    pub(super) fn wait(&self) -> Caller<'_> {
        self.callers.send_modify(|callers| *callers += 1);
        Caller(self)
    }

    /// Returns a receiver for the number of waiting callers.
    pub(super) fn follow(&self) -> watch::Receiver<usize> {
        self.callers.subscribe()
    }

    /// Records that the attempt has been waiting for its turn since this moment.
    pub(super) fn queued(&self, since: BootInstant) -> Queued<'_> {
        // 64 bits of nanoseconds last until 584 years after the machine's start.
        let nanos = u64::try_from(since.since_boot().as_nanos()).unwrap_or(u64::MAX);
        self.queued_since.store(nanos, Ordering::Relaxed);
        Queued(self)
    }

    /// Returns since when the attempt has been waiting for its turn, if it waits.
    pub(super) fn queued_since(&self) -> Option<BootInstant> {
        let nanos = self.queued_since.load(Ordering::Relaxed);
        (nanos > 0).then(|| BootInstant::from_boot(Duration::from_nanos(nanos)))
    }
}

impl Drop for Caller<'_> {
    fn drop(&mut self) {
        let left = |callers: &mut usize| *callers = callers.saturating_sub(1);
        self.0.callers.send_modify(left);
    }
}

impl Drop for Queued<'_> {
    fn drop(&mut self) {
        self.0.queued_since.store(0, Ordering::Relaxed);
    }
}
