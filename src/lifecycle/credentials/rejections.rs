//! The credentials that an issuer rejected, and when each may be sent again.

use std::sync::Arc;

use crate::credential::CredentialId;
use crate::fault::Fault;
use crate::instant::BootInstant;
use crate::lifecycle::LastFault;
use crate::schedule::{self, RejectionCount};
use crate::token::Validity;

/// Every rejected credential, until the issuer accepts it or its probe is long past.
#[derive(Debug, Clone, Default)]
pub(super) struct Rejections(Vec<Rejection>);

#[derive(Debug, Clone)]
struct Rejection {
    credential: CredentialId,
    /// Number of rejections in a row.
    times: RejectionCount,
    /// When the credential may be sent again.
    probe: BootInstant,
    /// The last rejection.
    last: Arc<LastFault>,
}

// === impl Rejections ===

impl Rejections {
    /// Records that the issuer rejected this credential with this fault. `stored` is the credential in the store, and
    /// `held` is the validity of the held token. After a doubtful rejection, it is not certain that the credential is
    /// the cause.
    pub(super) fn add(
        &mut self,
        now: BootInstant,
        credential: CredentialId,
        stored: Option<CredentialId>,
        fault: &Fault,
        held: Option<&Validity>,
    ) {
        // Drop credentials that left the store long ago, so that the list stays short.
        self.0.retain(|it| {
            let is_in_use = it.credential == credential || Some(it.credential) == stored;
            is_in_use || now < it.probe.after(schedule::PROBE_CAP)
        });
        let times = self.times(credential).and_one(fault.is_doubtful);
        self.remove(credential);
        self.0.push(Rejection {
            credential,
            times,
            probe: schedule::probe_due_holding(now, times, held),
            last: Arc::new(LastFault {
                fault: fault.clone(),
                at: now,
            }),
        });
    }

    /// Records that the issuer accepted this credential.
    pub(super) fn remove(&mut self, credential: CredentialId) {
        self.0.retain(|it| it.credential != credential);
    }

    /// Restarts the wait for a rejected credential's probe after a failed attempt. Returns how often in a row the
    /// credential was rejected. The kind of the failure does not matter: if the issuer cannot be reached, the rejection
    /// stands.
    pub(super) fn postpone(
        &mut self,
        now: BootInstant,
        credential: CredentialId,
        held: Option<&Validity>,
    ) -> RejectionCount {
        let mut rejections = self.0.iter_mut();
        let rejected = rejections.find(|it| it.credential == credential);
        rejected.map_or(RejectionCount::NONE, |it| {
            it.probe = schedule::probe_due_holding(now, it.times, held);
            it.times
        })
    }

    /// Returns how often in a row this credential was rejected.
    pub(super) fn times(&self, credential: CredentialId) -> RejectionCount {
        self.of(credential)
            .map_or(RejectionCount::NONE, |it| it.times)
    }

    /// Returns the last rejection of this credential.
    pub(super) fn last(&self, credential: CredentialId) -> Option<&Arc<LastFault>> {
        self.of(credential).map(|it| &it.last)
    }

    /// Returns when the probe of this credential is due, if that is later than `now`.
    pub(super) fn probe(&self, now: BootInstant, credential: CredentialId) -> Option<BootInstant> {
        let probe = self.of(credential)?.probe;
        (now < probe).then_some(probe)
    }

    fn of(&self, credential: CredentialId) -> Option<&Rejection> {
        self.0.iter().find(|it| it.credential == credential)
    }
}
