//! When somebody asked for a token last.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use crate::instant::BootInstant;

/// When somebody asked for a token last, as every handle tells it without a word to the keeper.
pub(in super::super) struct Asked(AtomicU64);

// === impl Asked ===

impl Asked {
    pub(super) const fn never() -> Self {
        Self(AtomicU64::new(0))
    }

    /// Somebody asks at `now`.
    pub(in super::super) fn at(&self, now: BootInstant) {
        // Nanoseconds of 64 bits are 584 years since the machine started.
        let nanos = u64::try_from(now.since_boot().as_nanos()).unwrap_or(u64::MAX);
        self.0.store(nanos, Ordering::Relaxed);
    }

    pub(super) fn last(&self) -> BootInstant {
        BootInstant::from_boot(Duration::from_nanos(self.0.load(Ordering::Relaxed)))
    }
}
