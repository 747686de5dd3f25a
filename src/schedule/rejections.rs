//! Schedule for sending a credential again that the issuer rejected.

use std::time::Duration;

use super::probe_wait;
use crate::instant::BootInstant;

/// Delays after consecutive rejections of a credential, until the circuit breaker opens. After a certain rejection only
/// the first one is used: an issuer's replicas may lag behind a new secret. Doubtful rejections use all of them, that
/// is 5, 15, 30 and 60 s after the first rejection: an issuer that starts up rejects everything.
const RETRIES: [Duration; 4] = [
    Duration::from_secs(5),
    Duration::from_secs(10),
    Duration::from_secs(15),
    Duration::from_secs(30),
];

/// Number of consecutive rejections of a credential, and whether they have opened the circuit breaker.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct RejectionCount {
    /// All rejections.
    times: u32,
    /// The certain rejections, which state that the credential is wrong.
    certain: u32,
    /// The rejections since the circuit breaker opened, including the one that opened it.
    open: u32,
}

// === impl RejectionCount ===

impl RejectionCount {
    /// No rejection.
    pub const NONE: Self = Self {
        times: 0,
        certain: 0,
        open: 0,
    };

    /// Returns the count of this many certain rejections.
    pub const fn certain(times: u32) -> Self {
        Self {
            times,
            certain: times,
            open: times.saturating_sub(1),
        }
    }

    /// Adds a rejection. A doubtful one does not state that the credential is the cause.
    #[must_use]
    pub const fn and_one(self, is_doubtful: bool) -> Self {
        let times = self.times.saturating_add(1);
        let certain = self.certain.saturating_add(!is_doubtful as u32);
        let opens = self.open > 0 || certain > 1 || times as usize > RETRIES.len();
        Self {
            times,
            certain,
            open: self.open.saturating_add(opens as u32),
        }
    }

    /// Returns the number of rejections.
    pub const fn times(self) -> u32 {
        self.times
    }

    /// Whether there is no rejection.
    pub const fn is_none(self) -> bool {
        self.times == 0
    }

    /// Whether the rejections have opened the circuit breaker. Two certain ones do so, or five of any kind.
    pub const fn has_opened_breaker(self) -> bool {
        self.open > 0
    }
}

/// Returns when to try a rejected credential again: first after the delays of the retries, then at the circuit
/// breaker's probes after 1, 2, 4 … 15 min.
pub fn probe_due(now: BootInstant, rejections: RejectionCount) -> BootInstant {
    let retry = rejections.times.saturating_sub(1) as usize;
    now.after(match (rejections.open, RETRIES.get(retry)) {
        (0, Some(wait)) => *wait,
        (open, _) => probe_wait(open.saturating_sub(1)),
    })
}
