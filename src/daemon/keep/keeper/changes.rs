//! Changes of a profile by a reload, as its keeper handles them.

use tokio::sync::oneshot;

use super::Keeper;
use crate::lifecycle::credentials::Credentials;
use crate::lifecycle::{Event, Policy};

impl Keeper {
    /// Replaces the policy.
    pub(super) fn take_up(&mut self, policy: Policy) {
        self.parts.policy = policy;
        self.tell(Event::PolicyChanged { policy });
    }

    /// Sends the state that the successor of this keeper starts with.
    pub(super) fn hand_over(&self, rejections: bool, reply: oneshot::Sender<Credentials>) {
        let credentials = self.credentials.carried_over(self.now(), rejections);
        // The reload may have been cancelled.
        let _: Result<(), _> = reply.send(credentials);
    }
}
