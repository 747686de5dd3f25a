//! The published view of a keeper, and the moments at which it changes without an event.

use super::Keeper;
use crate::instant::BootInstant;

impl Keeper {
    /// Returns the next moment to act: an attempt is due, the held token expires, a report of an outage is due, or the
    /// wait for the second half of a changed credential ends.
    pub(super) fn wake(&self) -> Option<BootInstant> {
        let shown = self.view.borrow();
        let lapse = shown.held.as_ref().filter(|_| !shown.lapsed);
        let lapse = lapse.map(|held| held.validity.expires);
        let report = self.logged.outage.next();
        let due = self.lifecycle.next_wake();
        let look = self.credentials.next_look();
        let look = look.filter(|_| self.recheck.is_none());
        let moments = [due, lapse, report, look];
        moments.into_iter().flatten().min()
    }

    /// Publishes the view only if it has changed. Waiting callers ask again when woken, so a spurious wake-up would
    /// make two of them wake each other forever.
    pub(super) fn publish(&self) {
        let now = self.now();
        self.view.send_if_modified(|shown| {
            let mut view = self.lifecycle.view();
            view.lapsed = view.held.is_some() && view.valid(now).is_none();
            view.rejected_successor = self.credentials.rejected_successor().cloned();
            let unusable = self.logged.unusable.as_ref();
            view.unusable = unusable.filter(|_| view.block.is_none()).cloned();
            let news = !view.is(shown);
            if news {
                *shown = view;
            }
            news
        });
    }
}
