//! Forgets all that the store of encrypted files has opened, when it is locked.

use super::Keeper;
use super::command::Heard;
use crate::lifecycle::Event;

impl Keeper {
    /// Forgets the credential and the token, and ends what runs with them.
    pub(super) fn lock(&mut self) -> Heard {
        // What it reads was opened before.
        self.recheck = None;
        self.credentials.lock(self.now());
        self.loaded.clear();
        self.enrolled.send_replace(None);
        self.tell(Event::Locked);
        for looked in self
            .waiting
            .drain(..)
            .chain(self.waiting_for_next.drain(..))
        {
            // The caller may have gone away.
            let _: Result<(), ()> = looked.send(());
        }
        Heard::default()
    }
}
