//! State that the credentials of a profile keep when the profile starts over.

use super::{Credentials, Step};
use crate::instant::BootInstant;

impl Credentials {
    /// Returns the state for a profile that starts over: the times of the calls, and if `rejections` is set, the
    /// rejected credentials. Without it, repeated reloads that change the profile would each call the issuer.
    #[must_use]
    pub fn carried_over(&self, now: BootInstant, rejections: bool) -> Self {
        let mut next = Self {
            calls: self.calls,
            ..Self::default()
        };
        if let Step::Calling { not_before, .. } = self.step
            && not_before <= now
        {
            next.called(now);
        }
        if rejections {
            next.rejections = self.rejections.clone();
        }
        next
    }
}
