//! The calls of an attempt.

use super::{Credentials, Decision, Step, WINDOW};
use crate::credential::CredentialId;
use crate::instant::BootInstant;

impl Credentials {
    /// Drops the running attempt.
    pub fn stop(&mut self, now: BootInstant) {
        if let Step::Calling { not_before, .. } = std::mem::take(&mut self.step)
            && not_before <= now
        {
            // The cancelled call may have been sent, so it counts towards the limit of calls.
            self.called(now);
        }
    }

    /// Returns the credential that the attempt carries, once it has one.
    pub(super) const fn carried(&self) -> Option<CredentialId> {
        match self.step {
            Step::Idle | Step::Loading { .. } => None,
            Step::Calling { credential, .. } | Step::Reloading { credential, .. } => {
                Some(credential)
            }
        }
    }

    /// Decides on a call, and delays it if it would be the third within [`WINDOW`].
    pub(super) fn call(
        &mut self,
        now: BootInstant,
        attempt: u64,
        credential: CredentialId,
        is_second: bool,
    ) -> Decision {
        let [older, _] = self.calls;
        let not_before = older.map_or(now, |older| older.after(WINDOW).max(now));
        self.step = Step::Calling {
            attempt,
            credential,
            not_before,
            is_second,
        };
        Decision::Call {
            attempt,
            credential,
            not_before,
        }
    }

    /// Records that a call began at this moment.
    pub(super) fn called(&mut self, at: BootInstant) {
        let [_, newer] = self.calls;
        self.calls = [newer, Some(at)];
    }
}
