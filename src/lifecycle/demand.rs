//! Requests of callers, which may begin an attempt earlier than scheduled.

use std::time::Duration;

use super::{Activity, Effect, Lifecycle};
use crate::instant::BootInstant;
use crate::schedule::{self, Reissue};

impl Lifecycle {
    /// A caller waits for a token of this validity. A valid token satisfies it where an early refresh would bring the
    /// same token, or would end the one that is held.
    pub(super) fn wanted(&mut self, now: BootInstant, min_valid: Duration) -> Effect {
        if let (Some(validity), Activity::Waiting { .. }) = (self.valid(now), self.activity) {
            let enough = validity.remaining(now) >= min_valid.min(validity.lifetime / 2);
            let useless = self.repeated || self.policy.reissue != Reissue::Normal;
            if enough || useless {
                return Effect::None;
            }
        }
        self.hasten(now)
    }

    /// A caller reports that the token of this generation was rejected. Each token leads to one refresh, whatever the
    /// issuer does with the old one. A later report counts as a request for a token: it ends a rest, and it hastens the
    /// next attempt when the token has expired.
    pub(super) fn reported(&mut self, now: BootInstant, generation: u64) -> Effect {
        match &self.held {
            Some(held) if held.generation == generation => {
                let first = self.reports.hear(now, held.validity.issued);
                let rests = self.activity == Activity::Resting;
                if first || rests || self.valid(now).is_none() {
                    self.hasten(now)
                } else {
                    Effect::None
                }
            }
            _ => Effect::None,
        }
    }

    /// Begins an attempt earlier, but not within the back-off while a valid token is held, and not after the credential
    /// was rejected. Otherwise a thousand callers would hammer an issuer in trouble, or open the circuit breaker before
    /// the issuer's replicas know a new secret.
    fn hasten(&mut self, now: BootInstant) -> Effect {
        let due = match self.activity {
            Activity::Attempting => return Effect::None,
            Activity::Resting => return self.attempt(now),
            Activity::Waiting { due } => due,
        };
        let backing_off = self.failing > 0 && self.valid(now).is_some();
        if self.rejections > 0 || self.block.is_some() || backing_off {
            return Effect::None;
        }
        let allowed = schedule::demand_due(now, self.last_attempt);
        if allowed <= now {
            self.attempt(now)
        } else {
            self.wait_until(due.min(allowed))
        }
    }
}
