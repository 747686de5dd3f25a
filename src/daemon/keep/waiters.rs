//! State that a profile's handles and its attempt share without the keeper: how many callers wait for a token, and
//! since when the attempt has been waiting for its turn at the issuer.

use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::time::Duration;

use tokio::sync::Notify;

use crate::instant::BootInstant;

/// Counts the callers that wait for one profile's token, and times its queued attempt.
#[derive(Debug, Default)]
pub(super) struct WaitCounts {
    callers: AtomicUsize,
    /// Notified when the first caller begins to wait, and when the last one leaves.
    changed: Notify,
    /// Nanoseconds of the boot clock; 0 while no attempt waits.
    queued_since: AtomicU64,
}

/// A waiting caller, counted until dropped.
pub(super) struct WaitingCaller<'a>(&'a WaitCounts);

/// An attempt that waits for its turn, until dropped.
pub(super) struct Queued<'a>(&'a WaitCounts);

// === impl Waiters ===

impl WaitCounts {
    /// Counts a waiting caller.
    pub(super) fn wait(&self) -> WaitingCaller<'_> {
        if self.callers.fetch_add(1, Ordering::SeqCst) == 0 {
            self.changed.notify_waiters();
        }
        WaitingCaller(self)
    }

    /// Whether a caller waits.
    pub(super) fn is_wanted(&self) -> bool {
        self.callers.load(Ordering::SeqCst) > 0
    }

    /// Waits for a change of [`is_wanted`](Self::is_wanted) since this call.
    pub(super) fn changed(&self) -> impl Future<Output = ()> + '_ {
        // It counts from its creation, not from the first poll (tokio's `Notify::notify_waiters`).
        self.changed.notified()
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

impl Drop for WaitingCaller<'_> {
    fn drop(&mut self) {
        if self.0.callers.fetch_sub(1, Ordering::SeqCst) == 1 {
            self.0.changed.notify_waiters();
        }
    }
}

impl Drop for Queued<'_> {
    fn drop(&mut self) {
        self.0.queued_since.store(0, Ordering::Relaxed);
    }
}
