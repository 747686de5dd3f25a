//! Refreshes for a client that seems to distrust the held token without reporting it.

use super::{Activity, Lifecycle};
use crate::instant::BootInstant;
use crate::schedule::Reissue;

impl Lifecycle {
    /// Whether to fetch a new token because a client seems to distrust the one of this generation. The client has not
    /// reported it, so the refresh must do no harm. It is refused if a new token would invalidate the held one or be
    /// the same, and during an outage, because it would disturb the back-off.
    pub fn may_replace(&self, now: BootInstant, generation: u64) -> bool {
        let is_held = self.valid(now).is_some() && self.generation == generation;
        let brings_another = self.policy.reissue == Reissue::Normal && !self.repeated;
        let is_in_trouble = self.failing > 0 || !self.rejections.is_none() || self.block.is_some();
        is_held && brings_another && !is_in_trouble && self.activity != Activity::Attempting
    }
}
