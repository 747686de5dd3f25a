//! Start of attempts: when an attempt may begin, and when it replaces a running one.

use std::time::Duration;

use super::{Activity, Effect, Lifecycle};
use crate::instant::BootInstant;
use crate::schedule::RejectionCount;

impl Lifecycle {
    /// Returns the earliest moment at which an attempt may begin, whatever its reason.
    pub(super) fn allowed(&self, now: BootInstant) -> BootInstant {
        self.pace.allowed(now, self.valid(now), self.last_attempt)
    }

    /// Returns until when no attempt may begin, whatever its reason. `None` while an attempt runs.
    pub fn held_back(&self, now: BootInstant) -> Option<BootInstant> {
        let is_attempting = self.activity == Activity::Attempting;
        Some(self.allowed(now)).filter(|at| now < *at && !is_attempting)
    }

    /// Begins an attempt as soon as it is allowed.
    pub(super) fn attempt_when_allowed(&mut self, now: BootInstant) -> Effect {
        let allowed = self.allowed(now);
        if allowed <= now {
            self.attempt(now)
        } else {
            self.wait_until(allowed)
        }
    }

    /// Begins an attempt with the new credential, replacing a running one. A wait that the issuer has stated applies to
    /// every credential. If a valid token is held and there is no failure, the next scheduled attempt uses the
    /// credential, because the token remains valid.
    ///
    /// A running attempt that could not begin again now ends on its own. If it is the last one before the expiry,
    /// cancelling it would leave no token until the end of the wait. If the issuer rejects the former credential without
    /// stating a wait, the attempt goes on with the new one.
    pub(super) fn credential_changed(&mut self, now: BootInstant) -> Effect {
        let was_attempting = self.activity == Activity::Attempting;
        let is_well = self.failing == 0 && self.rejections.is_none() && self.block.is_none();
        if is_well && !was_attempting && self.valid(now).is_some() {
            return Effect::None;
        }
        self.failing = 0;
        self.rejections = RejectionCount::NONE;
        self.block = None;
        if was_attempting {
            let before = self.pace;
            self.pace.note_cancelled(now);
            if now < self.allowed(now) {
                self.pace = before;
                return Effect::None;
            }
        }
        self.attempt_when_allowed(now)
    }

    /// Restarts an attempt that ran during the suspend: its connection is dead, and the attempt would notice that only
    /// at its deadline. Restarts the back-off as well, because the network is probably a different one now. An overdue
    /// attempt that begins on resume, before the suspend is noticed, is not restarted.
    pub(super) fn resumed(&mut self, now: BootInstant, suspended: Duration) -> Effect {
        let ran = |started: BootInstant| now.since(started) >= suspended;
        match self.activity {
            // Do not repeat the last attempt before the expiry. It ends on its own.
            Activity::Attempting
                if self.last_attempt.is_some_and(ran) && self.allowed(now) <= now =>
            {
                self.pace.note_cancelled(now);
                self.attempt(now)
            }
            Activity::Waiting { due } if self.failing > 0 && self.rejections.is_none() => {
                self.failing = 1;
                self.pace.network_changed();
                let soon = self.pace.demand(now, self.last_attempt);
                self.wait_until(due.min(soon.max(self.allowed(now))))
            }
            Activity::Attempting | Activity::Waiting { .. } | Activity::Resting => Effect::None,
        }
    }
}
