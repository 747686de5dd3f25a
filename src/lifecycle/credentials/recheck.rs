//! Reads of the store outside any attempt.

use super::{Credentials, Decision, Step, StoredCredentials};
use crate::instant::BootInstant;
use crate::lifecycle::Event;

impl Credentials {
    /// Handles the result of a read outside any attempt, or `None` if no credential could be loaded. An attempt that is
    /// reading the store continues with this result.
    pub fn rechecked(&mut self, now: BootInstant, read: Option<StoredCredentials>) -> Decision {
        let Some(found) = read else {
            self.forget_overdue_half(now);
            // Begin an attempt, so that a blocked profile shows the current reason rather than an old one.
            return if self.is_blocked() {
                Decision::Pass(Event::Recheck)
            } else {
                Decision::Wait
            };
        };
        let StoredCredentials { credential, other } = found;
        if self.waits_for_rest(now, credential).is_some() {
            return Decision::Wait;
        }
        if let Step::Loading { attempt } = self.step {
            // This result is at least as recent as that of the attempt's own read.
            return self.loaded(now, attempt, Ok(found));
        }
        let before = self.stored.replace(credential);
        let is_other = other != std::mem::replace(&mut self.other, other);
        if self.carried() == Some(credential) {
            return Decision::Wait;
        }
        let may_help = if before == Some(credential) {
            // A credential that could not be used may be usable now. A rejected one waits for its probe.
            let is_usable = self.obstacle.is_some() && self.rejections.times(credential).is_none();
            let beside = self.untried(now).filter(|_| is_other);
            is_usable || (beside.is_some() && self.former().is_none())
        } else {
            self.rejections.probe(now, credential).is_none()
        };
        if !may_help {
            return Decision::Wait;
        }
        self.obstacle = None;
        Decision::Pass(Event::CredentialChanged)
    }

    /// Decides on a refresh that a user requests. It is no reason to send a rejected credential, but the store may hold
    /// a new one.
    pub fn refresh_requested(&self) -> Decision {
        let stored = self.stored.map(|stored| self.rejections.times(stored));
        match stored {
            Some(rejections) if !rejections.is_none() && self.former().is_none() => {
                Decision::Recheck
            }
            _ => Decision::Pass(Event::RefreshRequested),
        }
    }
}
