//! Change of the policy of a running profile. Its token, its back-off and its rejections stay.

use super::policy::Policy;
use super::{Activity, Effect, Lifecycle};
use crate::instant::BootInstant;
use crate::schedule::{self, Jitter};

impl Lifecycle {
    /// Replaces the policy. The next refresh moves only if the policy decides its time. It does not move after a
    /// failure, or if a caller has caused an earlier refresh.
    pub(super) fn policy_changed(
        &mut self,
        now: BootInstant,
        jitter: Jitter,
        policy: Policy,
    ) -> Effect {
        let before = std::mem::replace(&mut self.policy, policy);
        let is_timed_otherwise = before.reissue != policy.reissue;
        let moves = match self.activity {
            Activity::Attempting => false,
            // The profile rests because no caller asked. With the new policy, that no longer matters.
            Activity::Resting => policy.keep_warm,
            Activity::Waiting { .. } => {
                let is_after_a_failure =
                    self.failing > 0 || !self.rejections.is_none() || self.block.is_some();
                is_timed_otherwise
                    && !is_after_a_failure
                    && !self.reports.is_of_held()
                    && !self.is_superseded()
                    && !self.repeated
            }
        };
        match self.held.as_ref().filter(|_| moves) {
            Some(held) => {
                let due = schedule::due(now, &held.validity, policy.reissue, jitter);
                self.wait_until(due)
            }
            None => Effect::None,
        }
    }
}
