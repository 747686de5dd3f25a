//! What a connection is doing, shared by its stream, its service and the table of places.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};

use super::super::keep::wait_limit::WaitSlot;
use super::connection_state::Activity;
use super::connections::{ConnectionEntry, ConnectionSlot};

const WAITING: u32 = 0;
const IN_HEAD: u32 = 1;
const BUSY: u32 = 2;
const IDLING: u32 = 3;
/// Busy with an answer that may take a while.
const PENDING: u32 = 4;

/// Mask of the states above in a [`ConnectionProgress`]. The higher bits count the changes.
const DOING: u32 = 0b111;

/// What a connection is doing, shared with the service that answers its requests.
///
/// It counts its changes, because an answer may need no wait: the idle time after the answer must be distinguishable
/// from the idle time before it.
#[derive(Debug, Clone, Default)]
pub struct ConnectionProgress(Arc<ProgressState>);

#[derive(Debug, Default)]
struct ProgressState {
    state: AtomicU32,
    /// Whether another connection needs this one's place.
    is_needed: AtomicBool,
    /// The connection's entry in the table, which depends on what the connection is doing.
    spot: Option<Arc<ConnectionEntry>>,
}

/// Keeps a connection busy until dropped. No timer of ours runs while a request is being answered.
#[derive(Debug)]
pub struct BusyGuard(ConnectionProgress);

// === impl Pace ===

impl ConnectionProgress {
    /// Creates the pace of a connection that has a place.
    pub(super) fn of(place: &ConnectionSlot) -> Self {
        Self(Arc::new(ProgressState {
            state: AtomicU32::new(WAITING),
            is_needed: AtomicBool::new(false),
            spot: Some(Arc::clone(place.spot())),
        }))
    }

    /// Marks the connection as busy: a request's headers are complete, and its answer begins.
    pub fn busy(&self) -> BusyGuard {
        self.set(BUSY);
        self.take(Activity::Answering);
        BusyGuard(self.clone())
    }

    /// Returns a number that changes whenever the connection's state does.
    pub(super) fn stamp(&self) -> u32 {
        self.0.state.load(Ordering::Relaxed)
    }

    /// Returns the connection's entry in the table, if it has one.
    pub(super) fn spot(&self) -> Option<&ConnectionEntry> {
        self.0.spot.as_deref()
    }

    /// Records that the first byte of a request has arrived.
    pub(super) fn begins_head(&self) {
        self.set(IN_HEAD);
    }

    /// Sets the state. Only the connection's own task changes it, so the load and the store need not be one atomic
    /// operation.
    fn set(&self, doing: u32) {
        let pace = self.stamp();
        if pace & DOING != doing {
            let changes = (pace & !DOING).wrapping_add(DOING + 1);
            self.0.state.store(changes | doing, Ordering::Relaxed);
        }
    }

    /// Whether a request is being answered.
    pub(super) fn is_busy(&self) -> bool {
        matches!(self.stamp() & DOING, BUSY | PENDING)
    }

    /// Whether all requests are answered and no byte of another one has arrived.
    pub(super) fn is_idle(&self) -> bool {
        self.stamp() & DOING == IDLING
    }

    /// Whether a request is being answered that may take a while.
    pub(super) fn is_pending(&self) -> bool {
        self.stamp() & DOING == PENDING
    }

    /// Cuts the request's wait short when the connection is polled next.
    pub(super) fn end_wait(&self) {
        self.0.is_needed.store(true, Ordering::Relaxed);
    }

    fn take(&self, doing: Activity) {
        self.0.take(doing);
    }
}

// === impl Paced ===

impl ProgressState {
    /// Informs the table of places.
    fn take(&self, doing: Activity) {
        if let Some(spot) = &self.spot {
            spot.set(doing);
        }
    }
}

impl WaitSlot for ProgressState {
    fn set_waiting(&self, is_waiting: bool) {
        self.take(match is_waiting {
            true => Activity::Waiting,
            false => Activity::Answering,
        });
    }

    fn must_end_wait(&self) -> bool {
        self.is_needed.load(Ordering::Relaxed)
    }
}

// === impl Busy ===

impl BusyGuard {
    /// Marks the answer as one that may take a while, so that a hangup of the peer is noticed.
    pub(super) fn pends(&self) {
        self.0.set(PENDING);
    }

    /// Runs a future that reads the rest of the request. Until it completes, the connection counts as half-open.
    pub(super) async fn receives<T>(&self, rest: impl Future<Output = T>) -> T {
        self.0.take(Activity::HalfOpen);
        let rest = rest.await;
        self.0.take(Activity::Answering);
        rest
    }

    /// Returns the place that the request occupies while it waits.
    pub(super) fn seat(&self) -> Arc<dyn WaitSlot> {
        Arc::clone(&self.0.0) as Arc<dyn WaitSlot>
    }

    /// Records the size of a part of the answer. A long answer counts as several requests.
    pub(super) fn made(&self, bytes: usize) {
        if let Some(spot) = self.0.spot() {
            spot.made(bytes);
        }
    }

    /// Marks the answer as a watch. A client can reopen a watch elsewhere.
    pub(super) fn watches(&self) {
        self.pends();
        self.0.take(Activity::Watching);
    }
}

impl Drop for BusyGuard {
    fn drop(&mut self) {
        self.0.set(IDLING);
        self.0.take(Activity::Idle);
    }
}
