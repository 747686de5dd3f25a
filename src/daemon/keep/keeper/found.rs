//! Takes up what was read of the store.

use std::sync::Arc;

use tokio::sync::watch;
use tracing::info;

use super::Keeper;
use crate::credential::Enrolment;
use crate::lifecycle::Event;
use crate::lifecycle::credentials::{Decision, Read};
use crate::store::source::Loaded;

/// The credential that was read last, without its secret, for the rest of the daemon.
pub(in super::super) type Enrolled = watch::Receiver<Option<Arc<Enrolment>>>;

impl Keeper {
    /// A receiver of the credential that was read last.
    pub(in super::super) fn enrolled(&self) -> Enrolled {
        self.enrolled.subscribe()
    }

    pub(super) fn rechecked(&mut self, loaded: Loaded) {
        self.recheck = None;
        self.log_unreadable(&loaded, self.credentials.is_blocked());
        let before = self.found.as_ref().map(|found| found.id);
        let read = self.read(loaded).ok();
        let decision = self.credentials.rechecked(self.now(), read);
        let is_change = matches!(decision, Decision::Tell(Event::CredentialChanged));
        if is_change && before.is_some() && before != read {
            info!("the credential was replaced");
        }
        self.execute(decision);
    }

    pub(super) fn read(&mut self, loaded: Loaded) -> Read {
        let found = loaded?;
        let id = found.id;
        let enrolment = Arc::new(found.credential.enrolment());
        self.enrolled.send_replace(Some(enrolment));
        self.found = Some(found);
        Ok(id)
    }
}
