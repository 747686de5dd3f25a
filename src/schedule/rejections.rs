//! When a credential is sent again that the issuer rejected.

use std::time::Duration;

use super::probe_wait;
use crate::instant::BootInstant;

/// The waits after the rejections of one credential in a row, until the breaker opens. A certain rejection takes the first
/// of them alone: replicas of an issuer may lag behind a new secret. Doubtful ones take them all, which is 5, 15, 30 and
/// 60 s after the first: an issuer that starts up rejects everything.
const RETRIES: [Duration; 4] = [
    Duration::from_secs(5),
    Duration::from_secs(10),
    Duration::from_secs(15),
    Duration::from_secs(30),
];

/// How often an issuer rejected one credential in a row, and whether the circuit breaker is open for that.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct RejectionCount {
    /// All of them.
    times: u32,
    /// Those that said that the credential is wrong.
    certain: u32,
    /// How many there were since the breaker opened, the one that opened it included.
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

    /// This many rejections, each of which said that the credential is wrong.
    pub const fn certain(times: u32) -> Self {
        Self {
            times,
            certain: times,
            open: times.saturating_sub(1),
        }
    }

    /// One rejection more. A doubtful one does not say that the credential is why.
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

    /// How many there are.
    pub const fn times(self) -> u32 {
        self.times
    }

    /// Whether there is none.
    pub const fn is_none(self) -> bool {
        self.times == 0
    }

    /// Whether they have opened the circuit breaker: two certain ones, or five.
    pub const fn has_opened_breaker(self) -> bool {
        self.open > 0
    }
}

/// When to try a rejected credential again: after the retries that its rejections are given, the breaker's probes at
/// 1, 2, 4 … 15 min.
pub fn probe_due(now: BootInstant, rejections: RejectionCount) -> BootInstant {
    let retry = rejections.times.saturating_sub(1) as usize;
    now.after(match (rejections.open, RETRIES.get(retry)) {
        (0, Some(wait)) => *wait,
        (open, _) => probe_wait(open.saturating_sub(1)),
    })
}
