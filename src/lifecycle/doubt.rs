//! A client that seems to doubt the held token, without a word about it.

use super::{Activity, Lifecycle};
use crate::instant::BootInstant;
use crate::schedule::Reissue;

impl Lifecycle {
    /// Whether a new token may be fetched because a client seems to doubt the one of this generation. That is no report, so
    /// it must do no harm: not where a new token ends the old one or is the same one, and not during an outage, whose
    /// back-off it would disturb.
    pub fn may_replace(&self, now: BootInstant, generation: u64) -> bool {
        let is_held = self.valid(now).is_some() && self.generation == generation;
        let brings_another = self.policy.reissue == Reissue::Normal && !self.repeated;
        let is_in_trouble = self.failing > 0 || !self.rejections.is_none() || self.block.is_some();
        is_held && brings_another && !is_in_trouble && self.activity != Activity::Attempting
    }
}
