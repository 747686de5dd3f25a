//! How fast the story goes.

use std::time::Duration;

/// How fast the story goes.
#[derive(Debug, Clone, Copy)]
pub(super) struct Pace {
    /// How long the sandbox's tokens live.
    pub(super) token_life: Duration,
    /// The time to read a step.
    pub(super) reading: Duration,
    /// How many tokens are renewed before each outage.
    pub(super) calm: [u64; 2],
    /// An outage ends when the token that is held has no more than this left.
    pub(super) brink: Duration,
    /// How many programs ask.
    pub(super) programs: usize,
}

// === impl Pace ===

impl Pace {
    /// About 25 s. The daemon renews a token of 6 s when 2.1 … 3.3 s are left to serve it, and tries at the latest
    /// when 0.6 s are left: an outage that ends before is one that nobody notices.
    pub(super) const SHOW: Self = Self {
        token_life: Duration::from_secs(6),
        reading: Duration::from_millis(1_200),
        calm: [2, 1],
        brink: Duration::from_millis(1_400),
        programs: 6,
    };

    /// About 8 s: an outage ends as soon as the daemon has met it.
    pub(super) const QUICK: Self = Self {
        token_life: Duration::from_secs(4),
        reading: Duration::ZERO,
        calm: [0, 0],
        brink: Duration::MAX,
        programs: 2,
    };
}
