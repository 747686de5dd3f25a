//! What the issuer's answers and the failed attempts so far allow, whatever asks for an attempt.
//!
//! A stated `Retry-After` is undercut by one attempt only: the last call before the expiry of the held token. More than
//! five minutes are not believed at once: one probe is made after that time, and the stated wait is kept when the issuer
//! states it again.

use std::time::Duration;

use crate::instant::BootInstant;
use crate::schedule::{self, FailureBudget, Unit};
use crate::token::Validity;

/// The limits on a profile's attempts. A profile that starts over with the same issuer keeps them, so that a reload is
/// no way around them.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Pace {
    failures: FailureBudget,
    /// The wait that the issuer stated last.
    stated: Option<StatedWait>,
    /// The failures since the last token.
    outage: Option<Outage>,
    /// When the first of the last attempts in a row began that found no token endpoint.
    absent_since: Option<BootInstant>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct StatedWait {
    until: BootInstant,
    /// Whether it asks for a wait at all: zero and a date in the past do not.
    is_wait: bool,
    /// Whether it is longer than what is believed at once.
    is_long: bool,
    /// Whether the issuer stated such a wait again when it was probed.
    is_again: bool,
}

#[derive(Debug, Clone, Copy, PartialEq)]
struct Outage {
    /// When its first attempt began.
    since: BootInstant,
    /// When its last attempt began.
    last: BootInstant,
    /// What decides when callers may cause the next one. It is drawn once: each caller would draw an earlier moment.
    jitter: Unit,
}

/// An attempt that brought no token.
pub(super) struct FailedAttempt {
    /// When it began.
    pub began: BootInstant,
    /// The wait that the issuer stated with it.
    pub retry_after: Option<Duration>,
    /// Whether it found no token endpoint.
    pub is_absent: bool,
}

// === impl Pace ===

impl Pace {
    /// Records an attempt that failed at `now`.
    pub(super) fn failed(&mut self, now: BootInstant, attempt: &FailedAttempt, jitter: Unit) {
        let began = attempt.began;
        self.failures.failed(now);
        let since = self.outage.map_or(began, |outage| outage.since);
        self.outage = Some(Outage {
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
            // The attempt was the last call before the expiry, and the wait goes on.
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

    /// Records an attempt that was broken off: the issuer may have seen it.
    pub(super) fn broken_off(&mut self, now: BootInstant) {
        self.failures.failed(now);
    }

    /// Records an attempt that brought a token.
    pub(super) const fn succeeded(&mut self) {
        (self.stated, self.outage, self.absent_since) = (None, None, None);
    }

    /// Records that the network may be another one now, so that what failed before says little.
    pub(super) const fn network_changed(&mut self) {
        (self.outage, self.absent_since) = (None, None);
    }

    /// Since when no attempt has found a token endpoint.
    pub(super) const fn absent_since(&self) -> Option<BootInstant> {
        self.absent_since
    }

    /// Whether the address is only probed, since it has had no token endpoint for long.
    pub(super) fn is_probing(&self, now: BootInstant) -> bool {
        self.absent_since
            .is_some_and(|since| schedule::is_absence_long(now, since))
    }

    /// Whether the issuer stated a wait with the last failure, so that the back-off is what it asked for.
    pub(super) fn is_stated(&self) -> bool {
        self.stated.is_some_and(|stated| stated.is_wait)
    }

    /// The end of the wait that the issuer stated. It may have passed.
    pub(super) fn stated_until(&self) -> Option<BootInstant> {
        self.stated.map(|stated| stated.until)
    }

    /// The earliest moment at which an attempt may begin, whatever asks for it. `held` is the validity of the held token
    /// and `last` when the last attempt began.
    pub(super) fn allowed(
        &self,
        now: BootInstant,
        held: Option<&Validity>,
        last: Option<BootInstant>,
    ) -> BootInstant {
        let stated = self.stated.map_or(now, |stated| stated.until);
        let last_call = held.filter(|held| held.holds(now)).map(schedule::last_call);
        // It is one attempt: any that began later than this moment was it.
        let last_call = last_call.filter(|call| last.is_none_or(|last| last < *call));
        let waited = match last_call {
            Some(call) => stated.min(call.max(now)),
            None => stated,
        };
        waited.max(self.failures.next()).max(now)
    }

    /// The earliest moment at which a caller without a token may cause an attempt.
    pub(super) fn demand(&self, now: BootInstant, last: Option<BootInstant>) -> BootInstant {
        match self.outage {
            Some(Outage {
                since,
                last,
                jitter,
            }) => schedule::demand_due_in_outage(now, last, since, jitter),
            None => schedule::demand_due(now, last),
        }
    }

    /// The limits for the profile's next life, which begins at `now` and breaks off an attempt that runs.
    #[must_use]
    pub fn handed_on(mut self, now: BootInstant, is_attempting: bool) -> Self {
        if is_attempting {
            self.broken_off(now);
        }
        self
    }
}
