//! Ends of an attempt that brought no token.

use super::{Credentials, Decision, Obstacle};
use crate::credential::CredentialId;
use crate::fault::{Block, Fault, FaultKind};
use crate::instant::BootInstant;
use crate::lifecycle::Event;
use crate::schedule::RejectionCount;

impl Credentials {
    /// Ends the attempt without a call, because this credential may not be sent before `until`.
    pub(super) fn withheld(
        &self,
        attempt: u64,
        credential: CredentialId,
        until: BootInstant,
    ) -> Decision {
        let rejections = self.rejections.times(credential);
        Decision::Pass(Event::Withheld {
            attempt,
            rejections,
            until,
        })
    }

    /// Ends the attempt with the fault of a call that carried this credential, or with the fault of a read.
    pub(super) fn failed(
        &mut self,
        now: BootInstant,
        attempt: u64,
        credential: Option<CredentialId>,
        fault: Fault,
    ) -> Decision {
        if fault.kind == FaultKind::BindingChanged {
            let detail = fault.detail;
            return self.blocked(attempt, Block::BindingChanged { detail });
        }
        let held = self.held.as_ref();
        // If the former credential is rejected as well, the next call waits for the probe of the stored one.
        let is_rejected = fault.kind == FaultKind::Rejected;
        let stored = self
            .stored
            .filter(|it| is_rejected && !self.rejections.times(*it).is_none());
        let rejections = stored.or(credential).map_or(RejectionCount::NONE, |it| {
            self.rejections.postpone(now, it, held)
        });
        // A credential that was replaced during the call was not sent yet.
        let is_replaced = (self.stored)
            .is_some_and(|it| Some(it) != credential && self.rejections.times(it).is_none());
        // As long as the other key may work, the credential does not count as rejected.
        let may_work = is_replaced || self.untried(now).is_some();
        let rejections = if may_work {
            RejectionCount::NONE
        } else {
            rejections
        };
        Decision::Pass(Event::Failed {
            attempt,
            fault,
            rejections,
        })
    }

    /// Ends the attempt without a call. Something on this machine has to be put right first.
    pub(super) fn blocked(&mut self, attempt: u64, block: Block) -> Decision {
        self.obstacle = Some(Obstacle::Blocked);
        Decision::Pass(Event::Blocked { attempt, block })
    }
}
