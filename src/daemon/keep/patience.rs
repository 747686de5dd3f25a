//! How long a caller may wait, and what ends its wait early.
//!
//! A request that only waits costs a place among the connections. Without an early end, a few users with thousands of
//! such requests would keep all others out for as long as they like.

use std::future::poll_fn;
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use crate::problem::EarlyEnd;

/// The place of a caller among the connections.
pub trait Seat: Send + Sync {
    /// Records that the request of this place does nothing but wait, or that it no longer does.
    fn waits(&self, is_waiting: bool);

    /// Whether the place is needed for another connection. The request is polled after a change of this, and only then
    /// is it asked: there is no waker.
    fn is_needed(&self) -> bool;
}

/// How long a caller may wait.
#[derive(Clone)]
pub struct Patience {
    limit: Duration,
    /// `None` for a caller whose wait takes no place.
    seat: Option<Arc<dyn Seat>>,
}

/// A wait of the request at a place, until this is dropped.
struct Waiting<'a>(&'a dyn Seat);

// === impl Patience ===

impl Patience {
    /// The patience of a caller that waits in this place for at most `limit`.
    pub fn at(seat: &Arc<dyn Seat>, limit: Duration) -> Self {
        Self {
            limit,
            seat: Some(Arc::clone(seat)),
        }
    }

    /// How long the caller may wait.
    pub const fn limit(&self) -> Duration {
        self.limit
    }

    /// The same caller with another limit.
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
    /// Why the work did not end: `Some` if that was before the limit.
    pub async fn run<T>(&self, work: impl Future<Output = T>) -> Result<T, Option<EarlyEnd>> {
        let seat = self.seat.as_deref();
        let _waiting = seat.map(Waiting::begin);
        let needed = poll_fn(|_| match seat.is_some_and(Seat::is_needed) {
            true => Poll::Ready(()),
            false => Poll::Pending,
        });
        tokio::select! { biased;
            done = tokio::time::timeout(self.limit, work) => done.map_err(|_| None),
            () = needed => Err(Some(EarlyEnd::PlaceIsNeeded)),
        }
    }
}

impl From<Duration> for Patience {
    fn from(limit: Duration) -> Self {
        Self { limit, seat: None }
    }
}

// === impl Waiting ===

impl<'a> Waiting<'a> {
    fn begin(seat: &'a dyn Seat) -> Self {
        seat.waits(true);
        Self(seat)
    }
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        self.0.waits(false);
    }
}
