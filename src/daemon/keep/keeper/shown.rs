//! What a keeper shows, and when that changes by itself.

use super::Keeper;
use crate::instant::BootInstant;

impl Keeper {
    /// The next moment to act: an attempt is due, the held token expires, the log has to say that there is none, or the
    /// rest of a change of the credential was waited for long enough.
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

    /// Publishes the view if it has changed, and only then: callers that wait ask again when woken, so that two of them
    /// would wake each other forever.
    pub(super) fn publish(&self) {
        let now = self.now();
        self.view.send_if_modified(|shown| {
            let mut view = self.lifecycle.view();
            view.lapsed = view.held.is_some() && view.valid(now).is_none();
            view.rejected_successor = self.credentials.rejected_successor().cloned();
            let news = !view.is(shown);
            if news {
                *shown = view;
            }
            news
        });
    }
}
