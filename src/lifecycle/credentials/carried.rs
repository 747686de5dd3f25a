//! What goes over to the credentials of a profile that starts over.

use super::{Credentials, Step};
use crate::instant::BootInstant;

impl Credentials {
    /// What a profile that starts over begins with: the moments of its calls, and with `rejections` the credentials that
    /// were rejected. Otherwise a reload that changes the profile again and again would call the issuer each time.
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
