//! Drops what the store of encrypted files had opened, when the store is locked.

use super::Keeper;
use super::command::CommandResult;
use crate::lifecycle::Event;

impl Keeper {
    /// Drops the credential and the token, and cancels the work that uses them.
    pub(super) fn lock(&mut self) -> CommandResult {
        // A running read may have opened the store before the lock.
        self.recheck = None;
        self.credentials.lock(self.now());
        self.loaded.clear();
        self.logged.unusable = None;
        self.enrolled.set(None);
        self.tell(Event::Locked);
        for looked in self
            .waiting
            .drain(..)
            .chain(self.waiting_for_next.drain(..))
        {
            // The caller may have gone away.
            let _: Result<(), ()> = looked.send(());
        }
        CommandResult::default()
    }
}
