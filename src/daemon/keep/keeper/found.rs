//! Processes the results of reads of the store.

use std::sync::Arc;

use tracing::{debug, info};

use super::Keeper;
use super::enrolled::SharedEnrolment;
use crate::lifecycle::credentials::{Decision, StoreRead, StoredCredentials};
use crate::store::source::{Loaded, LoadedCredential};

impl Keeper {
    /// Returns shared access to the credential of the last read.
    pub(in super::super) fn enrolled(&self) -> SharedEnrolment {
        self.enrolled.clone()
    }

    pub(super) fn rechecked(&mut self, loaded: Loaded) {
        self.recheck = None;
        let in_use = self.credentials.stored().is_some() && !self.credentials.is_blocked();
        self.log_unusable(loaded.as_ref().err(), in_use);
        let before = self.credentials.stored();
        let waited = self.credentials.next_look().is_some();
        let read = self.read(loaded).ok();
        let decision = self.credentials.rechecked(self.now(), read);
        if before.is_some() && before != self.credentials.stored() {
            info!("the credential was replaced");
        }
        if !waited && self.credentials.next_look().is_some() {
            debug!("the client ID has changed but the secret has not; waiting for the new secret");
        }
        self.execute(decision);
    }

    /// Handles the credential that was read for this attempt, or the error.
    pub(super) fn loaded(&mut self, attempt: u64, loaded: Loaded) -> Decision {
        let why = loaded.as_ref().err().cloned();
        let read = self.read(loaded);
        let decision = self.credentials.loaded(self.now(), attempt, read);
        // A call despite an error carries another credential. Without a call, the state shows the error.
        let in_use = matches!(decision, Decision::Call { .. });
        self.log_unusable(why.as_ref(), in_use);
        decision
    }

    fn read(&mut self, loaded: Loaded) -> StoreRead {
        let mut stored = loaded?;
        let other = stored.other.take();
        let found = StoredCredentials {
            credential: stored.id,
            other: other.as_ref().map(|other| other.id),
        };
        let enrolment = Arc::new(stored.credential.enrolment());
        self.enrolled.set(Some(enrolment));
        self.hold(stored);
        if let Some(other) = other {
            self.hold(*other);
        }
        Ok(found)
    }

    fn hold(&mut self, found: LoadedCredential) {
        match self.loaded.iter_mut().find(|it| it.id == found.id) {
            Some(held) => *held = found,
            None => self.loaded.push(found),
        }
    }

    /// Drops the secrets that no call needs any more.
    pub(super) fn forget_unneeded(&mut self) {
        self.loaded.retain(|it| self.credentials.needs(it.id));
    }
}
