//! Waits until a change of the credential is complete.

use std::time::Duration;

use super::Credentials;
use crate::credential::CredentialId;
use crate::instant::BootInstant;

/// Time that the secret may take to follow its client ID.
const PATIENCE: Duration = Duration::from_secs(5);

impl Credentials {
    /// Sets whether the client ID and the secret are kept in two places, so that one may change before the other.
    #[must_use]
    pub const fn in_two_places(mut self, are: bool) -> Self {
        self.half.is_in_two_places = are;
        self
    }

    /// Returns when to read the store outside any attempt, because the rest of a change has not been found yet.
    pub fn next_look(&self) -> Option<BootInstant> {
        self.half.found.map(|(_, until)| until)
    }

    /// Returns until when to wait for the rest of the change of which this is the first half. Returns `None` if the
    /// credential may be used now.
    pub(super) fn waits_for_rest(
        &mut self,
        now: BootInstant,
        found: CredentialId,
    ) -> Option<BootInstant> {
        let before = self.half.found.take();
        let is_half = |stored| found.may_be_half_a_change_of(stored);
        if !self.half.is_in_two_places || !self.stored.is_some_and(is_half) {
            return None;
        }
        let until = before
            .filter(|(half, _)| *half == found)
            .map_or_else(|| now.after(PATIENCE), |(_, until)| until);
        if until <= now {
            return None;
        }
        self.half.found = Some((found, until));
        Some(until)
    }

    /// Ends an overdue wait after a failed read of the store. The next read decides.
    pub(super) fn forget_overdue_half(&mut self, now: BootInstant) {
        self.half.found.take_if(|(_, until)| *until <= now);
    }
}
