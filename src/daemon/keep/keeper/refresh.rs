//! Refreshes that a user requests.

use super::Keeper;
use super::command::RefreshRefused;
use crate::lifecycle::credentials::Decision;
use crate::schedule;

impl Keeper {
    /// Refreshes the token if the budget allows it. Returns the number of refreshes so far.
    pub(super) fn refresh(&mut self) -> Result<u64, RefreshRefused> {
        let now = self.now();
        self.asked.at(now);
        let view = self.lifecycle.view();
        let decision = self.credentials.refresh_requested();
        if let Decision::Recheck = decision {
            self.execute(decision);
            let until = view.next_attempt;
            let last = view.last_fault.as_ref();
            let is_doubtful = last.is_some_and(|last| last.fault.is_doubtful) && !view.rejected;
            return Err(match until {
                Some(until) if is_doubtful => RefreshRefused::HeldBack { until },
                _ => RefreshRefused::Rejected { until },
            });
        }
        if let Some(until) = self.lifecycle.held_back(now) {
            return Err(RefreshRefused::HeldBack { until });
        }
        schedule::refresh_budget(now, &self.refreshes)
            .map_err(|until| RefreshRefused::TooMany { until })?;
        self.refreshes.push(now);
        let kept = schedule::REFRESH_BUDGET;
        let old = self.refreshes.len().saturating_sub(kept);
        self.refreshes.drain(..old);
        self.execute(decision);
        Ok(view.refreshes)
    }
}
