//! Requests of callers, which may begin an attempt earlier than scheduled.

use std::time::Duration;

use super::{Activity, Effect, Lifecycle, Reporter};
use crate::instant::BootInstant;
use crate::schedule::Reissue;

impl Lifecycle {
    /// Handles a caller that waits for a token with this validity. If an early refresh would bring the same token or
    /// invalidate the held one, any valid token satisfies the caller.
    pub(super) fn wanted(&mut self, now: BootInstant, min_valid: Duration) -> Effect {
        if let (Some(validity), Activity::Waiting { .. }) = (self.valid(now), self.activity) {
            let enough = validity.remaining(now) >= min_valid.min(validity.lifetime / 2);
            let useless = self.repeated || self.policy.reissue != Reissue::Normal;
            if enough || useless {
                return Effect::None;
            }
        }
        self.bring_forward(now)
    }

    /// Handles a report that the token of this generation was rejected. Each token causes one refresh, whatever the
    /// issuer does with the old one. A later report counts as a request for a token: it ends a rest, and brings the
    /// next attempt forward if the token has expired.
    pub(super) fn reported(
        &mut self,
        now: BootInstant,
        generation: u64,
        reporter: Reporter,
    ) -> Effect {
        let held = self.held.as_ref();
        let Some(held) = held.filter(|held| held.generation == generation) else {
            return Effect::None;
        };
        let is_due = self.reports.record(now, held.validity.issued, reporter);
        let rests = self.activity == Activity::Resting;
        if !is_due && !rests && self.valid(now).is_some() {
            return Effect::None;
        }
        let before = self.activity;
        let effect = self.bring_forward(now);
        if is_due && self.activity != before {
            self.reports.is_cause(now, reporter);
        }
        effect
    }

    /// Returns until when this user's reports of the held token cause no refresh. The moment may have passed.
    pub fn cooling_of(&self, reporter: Reporter) -> Option<BootInstant> {
        self.reports.cooling_of(reporter)
    }

    /// Brings the next attempt forward, because a caller asks. Does nothing after a rejection or while the profile is
    /// blocked. During a back-off it also does nothing if a valid token is held, if the issuer has stated a wait, or if
    /// the address has had no token endpoint for long. Otherwise a thousand callers would overload an issuer in
    /// trouble, or open the circuit breaker before the issuer's replicas know a new secret.
    fn bring_forward(&mut self, now: BootInstant) -> Effect {
        let due = match self.activity {
            Activity::Attempting => return Effect::None,
            Activity::Resting => return self.attempt_when_allowed(now),
            Activity::Waiting { due } => due,
        };
        let has_backoff =
            self.valid(now).is_some() || self.pace.is_stated() || self.pace.is_probing(now);
        let backs_off = self.failing > 0 && has_backoff;
        if !self.rejections.is_none() || self.block.is_some() || backs_off {
            return Effect::None;
        }
        let demand = self.pace.demand(now, self.last_attempt);
        let soonest = demand.max(self.allowed(now));
        if soonest <= now {
            self.attempt(now)
        } else {
            self.wait_until(due.min(soonest))
        }
    }
}
