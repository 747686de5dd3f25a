//! The moment of the last request for a token.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use crate::instant::BootInstant;

/// The moment of the last request for a token. Handles set it directly, without a message to the keeper.
pub(in super::super) struct LastRequest(AtomicU64);

// === impl Asked ===

impl LastRequest {
    pub(super) const fn never() -> Self {
        Self(AtomicU64::new(0))
    }

    /// Records a request at `now`.
    pub(in super::super) fn at(&self, now: BootInstant) {
        // 64 bits of nanoseconds last until 584 years after the machine's start.
        let nanos = u64::try_from(now.since_boot().as_nanos()).unwrap_or(u64::MAX);
        self.0.store(nanos, Ordering::Relaxed);
    }

    pub(super) fn last(&self) -> BootInstant {
        BootInstant::from_boot(Duration::from_nanos(self.0.load(Ordering::Relaxed)))
    }
}
