//! How long a caller may wait, and why a wait may end early.
//!
//! A request that only waits occupies a place in the connection table. Unless such waits can be cut short, a few users
//! with thousands of such requests would lock out all others.

use std::future::poll_fn;
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use crate::problem::EarlyEnd;

/// A caller's place in the connection table.
pub trait WaitSlot: Send + Sync {
    /// Records whether the place's request does nothing but wait.
    fn set_waiting(&self, is_waiting: bool);

    /// Whether another connection needs the place. There is no waker: the caller of a wait must poll it again after
    /// this changes.
    fn must_end_wait(&self) -> bool;
}

/// Time limit of a caller's wait, and the place that the caller occupies.
#[derive(Clone)]
pub struct WaitLimit {
    limit: Duration,
    /// `None` for a caller that occupies no place.
    seat: Option<Arc<dyn WaitSlot>>,
}

/// Marks a place's request as waiting until dropped.
struct Waiting<'a>(&'a dyn WaitSlot);

// === impl Patience ===

impl WaitLimit {
    /// Creates the patience of a caller that occupies this place and waits for at most `limit`.
    pub fn at(seat: &Arc<dyn WaitSlot>, limit: Duration) -> Self {
        Self {
            limit,
            seat: Some(Arc::clone(seat)),
        }
    }

    /// Returns how long the caller may wait.
    pub const fn limit(&self) -> Duration {
        self.limit
    }

    /// Returns the same caller's patience with another limit.
    #[must_use]
    pub fn limited_to(&self, limit: Duration) -> Self {
        Self {
            limit,
            seat: self.seat.clone(),
        }
    }

    /// Runs `work` for at most the limit.
    ///
    /// # Errors
    /// The reason why the work did not finish: `Some` if it was cut short, `None` if the limit was reached.
    pub async fn run<T>(&self, work: impl Future<Output = T>) -> Result<T, Option<EarlyEnd>> {
        let seat = self.seat.as_deref();
        let _waiting = seat.map(Waiting::begin);
        let needed = poll_fn(|_| match seat.is_some_and(WaitSlot::must_end_wait) {
            true => Poll::Ready(()),
            false => Poll::Pending,
        });
        tokio::select! { biased;
            done = tokio::time::timeout(self.limit, work) => done.map_err(|_| None),
            () = needed => Err(Some(EarlyEnd::SlotIsNeeded)),
        }
    }
}

impl From<Duration> for WaitLimit {
    fn from(limit: Duration) -> Self {
        Self { limit, seat: None }
    }
}

// === impl Waiting ===

impl<'a> Waiting<'a> {
    fn begin(seat: &'a dyn WaitSlot) -> Self {
        seat.set_waiting(true);
        Self(seat)
    }
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        self.0.set_waiting(false);
    }
}
