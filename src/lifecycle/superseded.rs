//! Tokens that the issuer gave to the same client without this profile, for example when an enrolment was tested. Some
//! issuers invalidate a client's old token with each new one.

use crate::instant::BootInstant;
use crate::schedule;

/// The tokens that the issuer gave without this profile, and the refreshes that they caused.
#[derive(Debug, Default)]
pub(super) struct Superseded {
    /// When the issuer gave the last such token, unless the request for the held token was sent later.
    at: Option<BootInstant>,
    /// Whether `refreshes` contains a refresh of the held token.
    is_counted: bool,
    /// When such refreshes began or are due, for the last hour, oldest first.
    refreshes: Vec<BootInstant>,
}

impl Superseded {
    /// Records that the issuer gave another token at `at`.
    pub(super) fn record(&mut self, at: BootInstant) {
        self.at = self.at.max(Some(at));
    }

    /// Whether a newer token may have invalidated one that was requested at `issued`.
    pub(super) fn ended(&self, issued: BootInstant) -> bool {
        self.at.is_some_and(|at| issued <= at)
    }

    /// Records a new held token, which was requested at `sent`.
    pub(super) fn replaced(&mut self, now: BootInstant, sent: BootInstant) {
        // Drop the delayed refresh from the budget if another refresh has come before it.
        if std::mem::take(&mut self.is_counted) {
            self.refreshes.pop_if(|due| now < *due);
        }
        self.at = self.at.filter(|at| sent <= *at);
    }

    /// Counts the refresh of the held token, once per token. Returns when it is due: at `soonest`, or as soon as the
    /// hourly budget allows it.
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
