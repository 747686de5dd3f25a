//! Limits on the attempts that requests cause, and on all failed attempts of a profile.

use std::time::Duration;

use super::Jitter;
use crate::instant::BootInstant;

/// Shortest time between two attempts that callers without a valid token cause.
pub const DEMAND_SPACING: Duration = Duration::from_secs(2);

/// How long after the start of an outage [`DEMAND_SPACING`] applies. Most disturbances are over by then, and frequent
/// attempts do not end a longer one.
const OUTAGE_EARLY: Duration = Duration::from_secs(30);

/// Mean time between two attempts that callers cause later in an outage.
const DEMAND_SPACING_LATER: Duration = Duration::from_secs(30);

/// The part of [`DEMAND_SPACING_LATER`] that jitter adds or subtracts, so that a fleet does not ask in step.
const DEMAND_JITTER: f64 = 0.25;

/// Shortest wait after a `Retry-After`. An issuer that states zero or a moment in the past is still not asked in a
/// loop.
const STATED_LEAST: Duration = Duration::from_secs(1);

/// Longest wait for a `Retry-After` that was stated once. A longer one is probed after this time.
pub const STATED_ONCE: Duration = Duration::from_secs(300);

/// Longest wait for a `Retry-After` that the issuer stated again when it was probed.
pub const STATED_TWICE: Duration = Duration::from_secs(3_600);

/// Number of a profile's attempts that may fail in a row before [`FailureBudget`] delays the next one. An outage that
/// begins shortly before the expiry uses about half of them.
const FAILURES_AT_ONCE: u32 = 130;

/// After that number, one further attempt may fail per this time. The back-off of a long outage has the same average.
const FAILURE_SPACING: Duration = Duration::from_secs(30);

/// Maximum number of failed attempts of a profile in any 60 minutes, whatever callers do: `FAILURES_AT_ONCE`, and one
/// more per `FAILURE_SPACING`.
pub const FAILURES_HOURLY: u32 = FAILURES_AT_ONCE + 120;

/// The failed attempts that a profile may still have: a bucket of `FAILURES_AT_ONCE` that regains one per
/// `FAILURE_SPACING`. Unlike a count over the last hour, it never delays an attempt by more than that.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FailureBudget {
    /// The time when the bucket is full again.
    full_at: BootInstant,
}

// === impl FailureBudget ===

impl FailureBudget {
    /// Creates a full budget.
    pub const fn new() -> Self {
        Self {
            full_at: BootInstant::from_boot(Duration::ZERO),
        }
    }

    /// Returns the earliest moment at which an attempt may begin. It may have passed.
    pub const fn next(&self) -> BootInstant {
        let empty = FAILURE_SPACING.saturating_mul(FAILURES_AT_ONCE - 1);
        self.full_at.before(empty)
    }

    /// Records an attempt that failed at `now`. It must have begun when [`Self::next`] allowed it.
    pub fn failed(&mut self, now: BootInstant) {
        self.full_at = self.full_at.max(now).after(FAILURE_SPACING);
    }
}

impl Default for FailureBudget {
    fn default() -> Self {
        Self::new()
    }
}

/// Returns the earliest moment at which a caller may cause an attempt. `last` is the start of the last attempt.
pub fn demand_due(now: BootInstant, last: Option<BootInstant>) -> BootInstant {
    last.map_or(now, |at| at.after(DEMAND_SPACING)).max(now)
}

/// Returns the earliest moment at which a caller may cause an attempt in an outage that began at `since`. It is 2 s
/// after the last attempt in the first 30 s of the outage, and 30 s ± 25 % after it later, depending on `jitter`.
pub fn demand_due_in_outage(
    now: BootInstant,
    last: BootInstant,
    since: BootInstant,
    jitter: Jitter,
) -> BootInstant {
    let soon = demand_due(now, Some(last));
    if soon.since(since) <= OUTAGE_EARLY {
        return soon;
    }
    let part = 1.0 - DEMAND_JITTER + 2.0 * DEMAND_JITTER * jitter.0;
    last.after(DEMAND_SPACING_LATER.mul_f64(part)).max(now)
}

/// Returns the wait for this `Retry-After`. `is_again` says that the issuer also stated more than [`STATED_ONCE`]
/// before the attempt that probed it.
pub fn stated_wait(retry_after: Duration, is_again: bool) -> Duration {
    let most = if is_again { STATED_TWICE } else { STATED_ONCE };
    retry_after.clamp(STATED_LEAST, most)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const HOUR: Duration = Duration::from_secs(3_600);

    const fn at(millis: u64) -> BootInstant {
        BootInstant::from_boot(Duration::from_millis(millis))
    }

    proptest! {
        #![proptest_config(crate::testing::many_cases())]

        /// The limit holds for the times at which attempts begin and for those at which they end.
        #[test]
        fn at_most_250_attempts_fail_in_an_hour(
            start in 0u64..10_000_000,
            attempts in proptest::collection::vec((0u64..4, 0u64..20_000, 0u64..12_000), 300..700),
        ) {
            let mut budget = FailureBudget::new();
            let mut now = at(start);
            let mut seen = vec![];
            for (kind, pause, takes) in attempts {
                // Most attempts begin as soon as they may.
                if kind == 0 {
                    now = now.after(Duration::from_millis(pause));
                }
                let begun = now.max(budget.next());
                prop_assert!(begun.since(now) <= FAILURE_SPACING, "a wait has an end");
                let takes = if kind < 2 { takes } else { 1 };
                now = begun.after(Duration::from_millis(takes));
                budget.failed(now);
                seen.push([begun, now]);
            }
            let most = usize::try_from(FAILURES_HOURLY).unwrap();
            prop_assert_eq!(most, 250);
            for moments in seen.windows(most + 1) {
                for moment in [0, 1] {
                    let hour = moments[most][moment].since(moments[0][moment]);
                    prop_assert!(hour >= HOUR, "{hour:?}");
                }
            }
        }

        #[test]
        fn callers_cause_an_attempt_every_2_s_at_first_and_later_every_30_s(
            since in 0u64..10_000_000, later in 0u64..7_200_000, asks in 0u64..60_000, u in 0.0f64..1.0,
        ) {
            let (since, last) = (at(since), at(since + later));
            let now = last.after(Duration::from_millis(asks));
            let wait = demand_due_in_outage(now, last, since, Jitter::new(u)).since(last);
            if later + asks.max(2_000) <= 30_000 {
                prop_assert_eq!(wait, DEMAND_SPACING.max(now.since(last)));
            } else {
                let least = Duration::from_millis(asks.max(22_500));
                prop_assert!(wait >= least && wait <= Duration::from_millis(asks.max(37_500)));
            }
        }
    }

    #[test]
    fn a_retry_after_is_capped_at_5_min_and_at_1_h_when_repeated() {
        let secs = Duration::from_secs;
        for (stated, once, again) in [
            (secs(0), 1, 1),
            (secs(1), 1, 1),
            (secs(30), 30, 30),
            (secs(300), 300, 300),
            (secs(301), 300, 301),
            (secs(3_600), 300, 3_600),
            (secs(3_601), 300, 3_600),
            (Duration::MAX, 300, 3_600),
        ] {
            assert_eq!(stated_wait(stated, false), secs(once), "{stated:?}");
            assert_eq!(stated_wait(stated, true), secs(again), "{stated:?}");
        }
    }
}
