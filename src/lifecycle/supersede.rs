//! Effect of a token that the issuer gave to the same client without this profile: the held token counts as reported.
//! It is refreshed once, and is served meanwhile.

use super::{Activity, Effect, Lifecycle};
use crate::instant::BootInstant;
use crate::schedule::Reissue;

impl Lifecycle {
    /// Handles the news that the issuer gave the client another token at `at`. The held token is refreshed once, unless
    /// it was requested later. A running attempt may bring a token that is already invalid.
    pub(super) fn superseded(&mut self, now: BootInstant, at: BootInstant) -> Effect {
        // With such an issuer, the other token is the same as the held one.
        if self.repeated || self.policy.reissue == Reissue::SameUntilExpiry {
            return Effect::None;
        }
        self.superseded.record(at.min(now));
        self.replace_superseded(now)
    }

    /// Whether a newer token may have invalidated the held one.
    pub(super) fn is_superseded(&self) -> bool {
        let held = self.held.as_ref();
        held.is_some_and(|held| self.superseded.ended(held.validity.issued))
    }

    /// Refreshes a held token that may be invalid, as soon as the spacing of attempts and the hourly budget allow it.
    /// After a failure, the next attempt is scheduled anyway.
    pub(super) fn replace_superseded(&mut self, now: BootInstant) -> Effect {
        if self.valid(now).is_none() || !self.is_superseded() {
            return Effect::None;
        }
        let is_after_a_failure =
            self.failing > 0 || !self.rejections.is_none() || self.block.is_some();
        let planned = match self.activity {
            Activity::Attempting => return Effect::None,
            Activity::Waiting { .. } if is_after_a_failure => return Effect::None,
            Activity::Waiting { due } => Some(due),
            Activity::Resting => None,
        };
        let demand = self.pace.demand(now, self.last_attempt);
        let soonest = demand.max(self.allowed(now));
        let due = self.superseded.due(now, soonest);
        if due <= now {
            self.attempt(now)
        } else {
            self.wait_until(planned.map_or(due, |planned| planned.min(due)))
        }
    }
}
