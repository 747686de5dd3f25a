//! Tokens that the issuer gave to the same client past the daemon, as to the proof of an enrolment. Some issuers end a
//! client's old token at each new one.

use crate::instant::BootInstant;
use crate::schedule;

/// What is known of such tokens.
#[derive(Debug, Default)]
pub(super) struct Superseded {
    /// When the issuer gave the last one, unless a request sent later brought the held token.
    at: Option<BootInstant>,
    /// Whether a refresh of the held token is in `refreshes`.
    is_counted: bool,
    /// When such refreshes began or are due, in the last hour, oldest first.
    refreshes: Vec<BootInstant>,
}

impl Superseded {
    /// The issuer gave another token at `at`.
    pub(super) fn hear(&mut self, at: BootInstant) {
        self.at = self.at.max(Some(at));
    }

    /// Whether a token that was requested at `issued` may have ended at a newer one.
    pub(super) fn ended(&self, issued: BootInstant) -> bool {
        self.at.is_some_and(|at| issued <= at)
    }

    /// A token came that was requested at `sent`.
    pub(super) fn replaced(&mut self, now: BootInstant, sent: BootInstant) {
        // Another refresh may have come before the one that was put off.
        if std::mem::take(&mut self.is_counted) {
            self.refreshes.pop_if(|due| now < *due);
        }
        self.at = self.at.filter(|at| sent <= *at);
    }

    /// Counts the refresh of the held token, once, as due at `soonest` or as soon as the hourly budget allows it. Returns
    /// when that is.
    pub(super) fn due(&mut self, now: BootInstant, soonest: BootInstant) -> BootInstant {
        if let (true, Some(due)) = (self.is_counted, self.refreshes.last()) {
            return soonest.max(*due);
        }
        let refreshes = &mut self.refreshes;
        refreshes.retain(|at| now < at.after(schedule::REPORT_WINDOW));
        let full = refreshes.len().checked_sub(schedule::REPORT_BUDGET);
        let oldest = full.and_then(|i| refreshes.get(i));
        let budget = oldest.map_or(now, |at| at.after(schedule::REPORT_WINDOW));
        let due = soonest.max(budget);
        refreshes.push(due);
        self.is_counted = true;
        due
    }
}
