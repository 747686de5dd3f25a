//! What a reload that changes the profile asks of its keeper.

use tokio::sync::oneshot;

use super::Keeper;
use crate::lifecycle::credentials::Credentials;
use crate::lifecycle::{Event, Policy};

impl Keeper {
    /// Goes on with another policy.
    pub(super) fn take_up(&mut self, policy: Policy) {
        self.parts.policy = policy;
        self.tell(Event::PolicyChanged { policy });
    }

    /// Says what the keeper that takes this one's place begins with.
    pub(super) fn hand_over(&self, rejections: bool, reply: oneshot::Sender<Credentials>) {
        let credentials = self.credentials.carried_over(self.now(), rejections);
        // The reload may have been dropped.
        let _: Result<(), _> = reply.send(credentials);
    }
}
