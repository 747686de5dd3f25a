//! Tracks where the requests of a connection begin and end.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

/// State that the reader of a connection shares with the service that answers its requests. Only the connection's own
/// task changes it.
#[derive(Debug, Clone, Default)]
pub(super) struct Framing(Arc<FramingState>);

#[derive(Debug, Default)]
struct FramingState {
    /// Bytes of the current request's body that have not been passed on yet.
    body_left: AtomicU64,
    /// Whether a part of a head is held back.
    holds_head: AtomicBool,
    /// Whether the next answer is the last one.
    is_last: AtomicBool,
}

// === impl Framing ===

impl Framing {
    /// Sets the body length of the request whose head was passed on last. `None` means that no length is stated, and
    /// all further bytes count as body.
    pub(super) fn expect_body(&self, length: Option<u64>) {
        let length = length.unwrap_or(u64::MAX);
        self.0.body_left.store(length, Ordering::Relaxed);
    }

    /// Records whether a part of a head is held back.
    pub(super) fn hold_head(&self, holds_head: bool) {
        self.0.holds_head.store(holds_head, Ordering::Relaxed);
    }

    /// Whether a part of a head is held back. hyper does not know about it, and would close the connection as idle.
    pub(super) fn holds_head(&self) -> bool {
        self.0.holds_head.load(Ordering::Relaxed)
    }

    /// Makes the next answer the last one, because the connection has to leave. This does not affect an answer whose
    /// head is already written.
    pub(super) fn end(&self) {
        self.0.is_last.store(true, Ordering::Relaxed);
    }

    /// Whether the next answer has to be the last one of the connection. Either the connection has to leave, or it is
    /// not known where the next request begins.
    pub(super) fn is_last(&self) -> bool {
        self.0.is_last.load(Ordering::Relaxed) || self.body_left() == u64::MAX
    }

    /// Returns the bytes of the current request's body that have not been passed on yet.
    pub(super) fn body_left(&self) -> u64 {
        self.0.body_left.load(Ordering::Relaxed)
    }

    /// Records that bytes were passed on.
    pub(super) fn take(&self, bytes: usize) {
        let left = self.body_left();
        if left != u64::MAX {
            let left = left.saturating_sub(bytes as u64);
            self.0.body_left.store(left, Ordering::Relaxed);
        }
    }
}
