//! Which of the known credentials may be used.

use std::sync::Arc;

use super::{Credentials, Step};
use crate::credential::CredentialId;
use crate::instant::BootInstant;
use crate::lifecycle::LastFault;

impl Credentials {
    /// Returns the former credential while it stays in use. Returns `None` if it sends the same client ID and secret as
    /// the stored one, which the issuer has just rejected.
    pub(super) fn former(&self) -> Option<CredentialId> {
        self.beside_rejected(self.former.accepted)
    }

    /// Returns the other key of the record while the issuer rejects the stored one. It is not sent before its own probe
    /// is due.
    pub(super) fn other(&self, now: BootInstant) -> Option<CredentialId> {
        let other = self.beside_rejected(self.other)?;
        self.rejections.probe(now, other).is_none().then_some(other)
    }

    /// Returns the same key, unless the issuer has rejected it as well.
    pub(super) fn untried(&self, now: BootInstant) -> Option<CredentialId> {
        self.other(now)
            .filter(|other| self.rejections.times(*other).is_none())
    }

    fn beside_rejected(&self, other: Option<CredentialId>) -> Option<CredentialId> {
        let stored = self.stored?;
        let is_rejected = !self.rejections.times(stored).is_none();
        other.filter(|other| is_rejected && !other.sends_the_same_as(stored))
    }

    /// Returns why the issuer rejects the stored credential, while the former one stays in use.
    pub fn rejected_successor(&self) -> Option<&Arc<LastFault>> {
        self.former()?;
        self.rejections.last(self.stored?)
    }

    /// Whether the issuer has rejected the credential of this attempt, which now reads the store for another one.
    pub fn is_rejected_in(&self, attempt: u64) -> bool {
        matches!(self.step, Step::Reloading { attempt: running, .. } if running == attempt)
    }

    /// Whether the former credential in use is the other key of the record.
    pub fn uses_other(&self) -> bool {
        let former = self.former();
        former.is_some() && former == self.other
    }

    /// Whether a call may still carry this credential. The secrets of all other credentials can be dropped.
    pub fn needs(&self, credential: CredentialId) -> bool {
        let needed = [
            self.stored,
            self.other,
            self.former.accepted,
            self.carried(),
        ];
        needed.contains(&Some(credential))
    }
}
