//! Adoption of a token that was granted outside the attempts, as the proof of a new secret that is now in use.

use super::{Activity, Effect, Lifecycle};
use crate::instant::{BootInstant, RemoteClock, UnixTime};
use crate::schedule::Jitter;
use crate::token::{Grant, Validity};

impl Lifecycle {
    /// Replaces the held token by this one, unless this one has expired. Drops a running attempt, which may carry the
    /// old secret.
    pub(super) fn adopted(
        &mut self,
        now: BootInstant,
        jitter: Jitter,
        sent: BootInstant,
        grant: Grant,
        date: Option<UnixTime>,
    ) -> Effect {
        let is_valid = Validity::new(sent, grant.lifetime).holds(now);
        let held = self.valid(now).copied();
        // A refresh after the proof brought a later token.
        let is_late = held.is_some_and(|held| sent < held.issued);
        if !is_valid || grant.is_ending() || grant.has_zero_lifetime() || is_late {
            return Effect::None;
        }
        let was_attempting = self.activity == Activity::Attempting;
        let clock = date.map(|date| RemoteClock::read(date, sent, now));
        self.issuer_clock = clock.or(self.issuer_clock);
        match self.fetched(now, jitter, sent, grant) {
            Effect::None if was_attempting => Effect::Stop,
            effect => effect,
        }
    }
}
