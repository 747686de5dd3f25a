//! A store that is locked.

use super::former::Former;
use super::half::Half;
use super::{Credentials, Obstacle};
use crate::instant::BootInstant;

impl Credentials {
    /// Forgets which credential is stored, and drops the attempt that runs. What the issuer rejected stays known: it would
    /// be sent again otherwise.
    pub fn lock(&mut self, now: BootInstant) {
        self.stop(now);
        (self.stored, self.other) = (None, None);
        self.former = Former::default();
        self.half = Half::default();
        self.obstacle = Some(Obstacle::Blocked);
    }
}
