//! Processes the results of reads of the store.

use std::sync::Arc;

use tokio::sync::watch;
use tracing::{debug, info};

use super::Keeper;
use crate::credential::Enrolment;
use crate::lifecycle::credentials::{Found, Read};
use crate::store::source::{Loaded, LoadedCredential};

/// The credential of the last read without its secret, for the rest of the daemon.
pub(in super::super) type Enrolled = watch::Receiver<Option<Arc<Enrolment>>>;

impl Keeper {
    /// Returns a receiver for the credential of the last read.
    pub(in super::super) fn enrolled(&self) -> Enrolled {
        self.enrolled.subscribe()
    }

    pub(super) fn rechecked(&mut self, loaded: Loaded) {
        self.recheck = None;
        self.log_unreadable(&loaded, self.credentials.is_blocked());
        let before = self.credentials.stored();
        let waited = self.credentials.next_look().is_some();
        let read = self.read(loaded).ok();
        let decision = self.credentials.rechecked(self.now(), read);
        if before.is_some() && before != self.credentials.stored() {
            info!("the credential was replaced");
        }
        if !waited && self.credentials.next_look().is_some() {
            debug!("the client ID has changed and its secret has not; waiting for the rest");
        }
        self.execute(decision);
    }

    pub(super) fn read(&mut self, loaded: Loaded) -> Read {
        let mut stored = loaded?;
        let other = stored.other.take();
        let found = Found {
            credential: stored.id,
            other: other.as_ref().map(|other| other.id),
        };
        let enrolment = Arc::new(stored.credential.enrolment());
        self.enrolled.send_replace(Some(enrolment));
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
