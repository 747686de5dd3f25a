//! Effect of locking the store on the credentials.

use super::former::FormerCredential;
use super::partial_change::PartialChange;
use super::{Credentials, Obstacle};
use crate::instant::BootInstant;

impl Credentials {
    /// Drops the stored credential and the running attempt. Keeps the rejections, because rejected credentials would be
    /// sent again otherwise.
    pub fn lock(&mut self, now: BootInstant) {
        self.stop(now);
        (self.stored, self.other) = (None, None);
        self.former = FormerCredential::default();
        self.half = PartialChange::default();
        self.obstacle = Some(Obstacle::Blocked);
    }
}
