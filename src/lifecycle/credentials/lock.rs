//! Effect of locking the store on the credentials.

use super::former::Former;
use super::half::Half;
use super::{Credentials, Obstacle};
use crate::instant::BootInstant;

impl Credentials {
    /// Drops the stored credential and the running attempt. Keeps the rejections, because rejected credentials would be
    /// sent again otherwise.
    pub fn lock(&mut self, now: BootInstant) {
        self.stop(now);
        (self.stored, self.other) = (None, None);
        self.former = Former::default();
        self.half = Half::default();
        self.obstacle = Some(Obstacle::Blocked);
    }
}
