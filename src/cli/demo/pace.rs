//! The speed of the demo.

use std::time::Duration;

/// The speed of the demo.
#[derive(Debug, Clone, Copy)]
pub(super) struct Pace {
    /// The lifetime of the sandbox's tokens.
    pub(super) token_life: Duration,
    /// The time to read a step.
    pub(super) reading: Duration,
    /// The number of tokens that are renewed before each outage.
    pub(super) calm: [u64; 2],
    /// The remaining lifetime of the held token at which an outage ends.
    pub(super) brink: Duration,
    /// The number of client programs.
    pub(super) programs: usize,
}

// === impl Pace ===

impl Pace {
    /// The speed for a person: about 25 s. The daemon renews a token of 6 s when it can serve it for another 2.1 to 3.3
    /// s, and makes its last attempt 0.6 s before the end. So no client notices an outage that ends before that.
    pub(super) const SHOW: Self = Self {
        token_life: Duration::from_secs(6),
        reading: Duration::from_millis(1_200),
        calm: [2, 1],
        brink: Duration::from_millis(1_400),
        programs: 6,
    };

    /// The speed for tests: about 8 s. An outage ends as soon as one of the daemon's attempts has failed.
    pub(super) const QUICK: Self = Self {
        token_life: Duration::from_secs(4),
        reading: Duration::ZERO,
        calm: [0, 0],
        brink: Duration::MAX,
        programs: 2,
    };
}
