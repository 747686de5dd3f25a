//! Effect of locking the store on the token: it is dropped together with its credential.

use std::sync::Arc;

use super::{Activity, BLOCKED_RETRY, Effect, Lifecycle};
use crate::fault::Block;
use crate::instant::BootInstant;

impl Lifecycle {
    /// Drops the token, and waits until the store is unlocked. The generations and the limits on attempts continue.
    pub(super) fn locked(&mut self, now: BootInstant) -> Effect {
        if self.activity == Activity::Attempting {
            self.pace.note_cancelled(now);
        }
        if self.held.take().is_some() {
            self.reports.replaced();
        }
        (self.assumed, self.token_expiry) = (false, None);
        (self.has_zero_lifetime, self.repeated) = (false, false);
        self.locks += 1;
        self.block = Some(Arc::new(Block::Locked));
        let due = now.after(BLOCKED_RETRY).max(self.allowed(now));
        self.activity = Activity::Waiting { due };
        Effect::Stop
    }
}
