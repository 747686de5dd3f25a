//! Which credentials may be in use.

use std::sync::Arc;

use super::{Credentials, Step};
use crate::credential::CredentialId;
use crate::lifecycle::LastFault;

impl Credentials {
    /// The former credential, while it stays in use. The same client ID and secret are not sent again: the issuer has
    /// just rejected them.
    pub(super) fn former(&self) -> Option<CredentialId> {
        let stored = self.stored?;
        let is_rejected = !self.rejections.times(stored).is_none();
        let accepted = self.former.accepted.filter(|_| is_rejected)?;
        (!accepted.sends_the_same_as(stored)).then_some(accepted)
    }

    /// Why the issuer rejects the stored credential, while the former one stays in use.
    pub fn rejected_successor(&self) -> Option<&Arc<LastFault>> {
        self.former()?;
        self.rejections.last(self.stored?)
    }

    /// Whether the issuer has rejected the credential of this attempt, which reads the store for another one.
    pub fn is_rejected_in(&self, attempt: u64) -> bool {
        matches!(self.step, Step::Reloading { attempt: running, .. } if running == attempt)
    }

    /// Whether a call may still carry this credential. The secrets of all others can be forgotten.
    pub fn needs(&self, credential: CredentialId) -> bool {
        let needed = [self.stored, self.former.accepted, self.carried()];
        needed.contains(&Some(credential))
    }
}
