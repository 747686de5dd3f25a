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
    /// How often in a row.
    times: RejectionCount,
    /// When it may be sent again.
    probe: BootInstant,
    /// The last rejection.
    last: Arc<LastFault>,
}

// === impl Rejections ===

impl Rejections {
    /// Records that the issuer rejected this credential with this fault. `stored` is the one that the store holds, and
    /// `held` the validity of the held token. A doubtful rejection does not say that the credential is why.
    pub(super) fn add(
        &mut self,
        now: BootInstant,
        credential: CredentialId,
        stored: Option<CredentialId>,
        fault: &Fault,
        held: Option<&Validity>,
    ) {
        // A credential that left the store long ago is forgotten, so that the list stays short.
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

    /// Restarts the time to a rejected credential's probe after a failed attempt, and returns how often in a row it was
    /// rejected. The fault does not matter: an issuer that cannot be reached takes no rejection back.
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

    /// How often in a row this credential was rejected.
    pub(super) fn times(&self, credential: CredentialId) -> RejectionCount {
        self.of(credential)
            .map_or(RejectionCount::NONE, |it| it.times)
    }

    /// The last rejection of this credential.
    pub(super) fn last(&self, credential: CredentialId) -> Option<&Arc<LastFault>> {
        self.of(credential).map(|it| &it.last)
    }

    /// When the probe of this credential is due, if it is due later than `now`.
    pub(super) fn probe(&self, now: BootInstant, credential: CredentialId) -> Option<BootInstant> {
        let probe = self.of(credential)?.probe;
        (now < probe).then_some(probe)
    }

    fn of(&self, credential: CredentialId) -> Option<&Rejection> {
        self.0.iter().find(|it| it.credential == credential)
    }
}
