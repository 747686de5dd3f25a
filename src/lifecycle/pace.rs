//! Limits on attempts that follow from the issuer's answers and from failed attempts. They apply to every reason for an
//! attempt.
//!
//! Only one attempt may undercut a stated `Retry-After`: the last attempt before the expiry of the held token. A wait
//! of more than five minutes is not accepted at once. One probe is made after five minutes, and if the issuer states
//! the wait again, it is obeyed.

use std::time::Duration;

use crate::instant::BootInstant;
use crate::schedule::{self, FailureBudget, Jitter};
use crate::token::Validity;

/// The limits on a profile's attempts. A profile that starts over with the same issuer keeps them, so that a reload
/// does not bypass them.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct AttemptLimits {
    failures: FailureBudget,
    /// The wait that the issuer stated last.
    stated: Option<StatedWait>,
    /// The failures since the last token.
    outage: Option<FailureSeries>,
    /// When the latest uninterrupted series of attempts without a token endpoint began.
    absent_since: Option<BootInstant>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct StatedWait {
    until: BootInstant,
    /// Whether the issuer demands a wait at all. Zero and a date in the past do not.
    is_wait: bool,
    /// Whether the wait is longer than what is accepted at once.
    is_long: bool,
    /// Whether the issuer stated such a wait again when it was probed.
    is_again: bool,
}

#[derive(Debug, Clone, Copy, PartialEq)]
struct FailureSeries {
    /// When the first attempt of the outage began.
    since: BootInstant,
    /// When the last attempt of the outage began.
    last: BootInstant,
    /// Decides when callers may cause the next attempt. It is drawn once per attempt, because a new draw for each
    /// caller would tend towards the earliest moment.
    jitter: Jitter,
}

/// An attempt that brought no token.
pub(super) struct FailedAttempt {
    /// When the attempt began.
    pub began: BootInstant,
    /// The wait that the issuer stated with the failure.
    pub retry_after: Option<Duration>,
    /// Whether the attempt found no token endpoint.
    pub is_absent: bool,
}

// === impl Pace ===

impl AttemptLimits {
    /// Records an attempt that failed at `now`.
    pub(super) fn failed(&mut self, now: BootInstant, attempt: &FailedAttempt, jitter: Jitter) {
        let began = attempt.began;
        self.failures.failed(now);
        let since = self.outage.map_or(began, |outage| outage.since);
        self.outage = Some(FailureSeries {
            since,
            last: began,
            jitter,
        });
        self.absent_since = attempt
            .is_absent
            .then_some(self.absent_since.unwrap_or(began));
        let stated = |is_again| {
            attempt.retry_after.map(|wait| {
                let is_long = wait > schedule::STATED_ONCE;
                let is_again = is_again && is_long;
                StatedWait {
                    until: now.after(schedule::stated_wait(wait, is_again)),
                    is_wait: !wait.is_zero(),
                    is_long,
                    is_again,
                }
            })
        };
        self.stated = match self.stated {
            // This was the last attempt before the expiry, and the stated wait continues.
            Some(before) if began < before.until => {
                let stated = stated(before.is_again).unwrap_or(before);
                Some(StatedWait {
                    until: before.until.max(stated.until),
                    is_long: before.is_long || stated.is_long,
                    ..before
                })
            }
            before => stated(before.is_some_and(|before| before.is_long)),
        };
    }

    /// Records an attempt that was cancelled. The issuer may have received it.
    pub(super) fn note_cancelled(&mut self, now: BootInstant) {
        self.failures.failed(now);
    }

    /// Records an attempt that brought a token.
    pub(super) const fn succeeded(&mut self) {
        (self.stated, self.outage, self.absent_since) = (None, None, None);
    }

    /// Records that the network may have changed, so that earlier failures mean little.
    pub(super) const fn network_changed(&mut self) {
        (self.outage, self.absent_since) = (None, None);
    }

    /// Returns since when no attempt has found a token endpoint.
    pub(super) const fn absent_since(&self) -> Option<BootInstant> {
        self.absent_since
    }

    /// Whether the address is only probed, because it has had no token endpoint for long.
    pub(super) fn is_probing(&self, now: BootInstant) -> bool {
        self.absent_since
            .is_some_and(|since| schedule::is_absence_long(now, since))
    }

    /// Whether the issuer stated a wait with the last failure. The back-off then follows the issuer's demand.
    pub(super) fn is_stated(&self) -> bool {
        self.stated.is_some_and(|stated| stated.is_wait)
    }

    /// Returns the end of the wait that the issuer stated. It may have passed.
    pub(super) fn stated_until(&self) -> Option<BootInstant> {
        self.stated.map(|stated| stated.until)
    }

    /// Returns the earliest moment at which an attempt may begin, whatever its reason. `held` is the validity of the
    /// held token, and `last` is when the last attempt began.
    pub(super) fn allowed(
        &self,
        now: BootInstant,
        held: Option<&Validity>,
        last: Option<BootInstant>,
    ) -> BootInstant {
        let stated = self.stated.map_or(now, |stated| stated.until);
        let last_call = held.filter(|held| held.holds(now)).map(schedule::last_call);
        // Only one attempt may undercut the wait. If an attempt has begun after this moment, it was that one.
        let last_call = last_call.filter(|call| last.is_none_or(|last| last < *call));
        let waited = match last_call {
            Some(call) => stated.min(call.max(now)),
            None => stated,
        };
        waited.max(self.failures.next()).max(now)
    }

    /// Returns the earliest moment at which a caller without a token may cause an attempt.
    pub(super) fn demand(&self, now: BootInstant, last: Option<BootInstant>) -> BootInstant {
        match self.outage {
            Some(FailureSeries {
                since,
                last,
                jitter,
            }) => schedule::demand_due_in_outage(now, last, since, jitter),
            None => schedule::demand_due(now, last),
        }
    }

    /// Returns the limits for the keeper that replaces this one at `now`. A running attempt is cancelled then.
    #[must_use]
    pub fn for_successor(mut self, now: BootInstant, is_attempting: bool) -> Self {
        if is_attempting {
            self.note_cancelled(now);
        }
        self
    }
}
