//! The causes that an attempt may have.

use std::time::Duration;

use jetond::instant::BootInstant;
use jetond::schedule::Reissue;

use super::absence::Absence;
use super::attempts::{Attempt, Cause, NOTICED};
use super::record::{ClientRequest, GRAIN, RequestEnd};
use super::reports;
use super::walk::LifeState;
use crate::history::Ask;

/// The minimum time between two attempts that callers cause.
pub(super) const DEMAND: Duration = Duration::from_secs(2);

/// For this long after the begin of an outage, `DEMAND` applies.
const EARLY: Duration = Duration::from_secs(30);

/// The minimum time between two attempts that callers cause, later in an outage.
const DEMAND_LATER: Duration = Duration::from_millis(22_500);

impl LifeState<'_> {
    /// Returns whether a requested refresh was not made, because the budget is used up or the secret is known to be
    /// bad. A refresh that was made has the same answer when the issuer rejects the secret for the first time.
    pub(super) fn is_refused(&self, request: &ClientRequest) -> bool {
        let (RequestEnd::Answered(answer), Ask::Refresh) = (&request.end, &request.ask) else {
            return false;
        };
        let (from, until) = (request.from.run, request.until.run + GRAIN);
        let mut calls = self.life.calls();
        match answer.status {
            429 => true,
            // The attempt was held back, or the secret is rejected.
            502 | 503 => !calls.any(|call| from <= call.from.run && call.from.run <= until),
            _ => false,
        }
    }

    pub(super) fn causes(&self, attempt: &Attempt) -> Vec<Cause> {
        // An attempt that replaces a cancelled one has its own cause.
        let is_due = !self.is_broken_off && attempt.begun.boot >= self.window.from;
        let causes = [
            (Cause::Due, is_due),
            (Cause::Secret, self.is_for_secret(attempt)),
            (Cause::Resume, self.is_for_resume(attempt)),
            (Cause::Report, self.is_for_report(attempt)),
            (Cause::Person, self.is_for_person(attempt)),
            (Cause::Caller, self.is_for_caller(attempt)),
        ];
        let holding = causes.into_iter().filter(|(_, holds)| *holds);
        holding.map(|(cause, _)| cause).collect()
    }

    /// Returns whether the last attempt began long enough ago for callers to cause another one.
    fn is_spaced(&self, at: BootInstant) -> bool {
        self.is_spaced_by(at, DEMAND)
    }

    fn is_spaced_by(&self, at: BootInstant, spacing: Duration) -> bool {
        let last = self.last.as_ref();
        last.is_none_or(|last| at >= last.from.boot.after(spacing))
    }

    /// Returns whether the outage counts as new for callers.
    fn is_early(&self, at: BootInstant) -> bool {
        let Some(since) = self.outage else {
            return true;
        };
        at <= since.after(EARLY + GRAIN) || self.may_have_resumed(at)
    }

    /// Returns whether the daemon may have noticed a suspend since the last attempt.
    fn may_have_resumed(&self, at: BootInstant) -> bool {
        let idle_since = self.last.as_ref().map_or(self.life.from, |last| last.known);
        let mut resumes = self.record.long_suspends();
        resumes.any(|resume| resume.run + NOTICED >= idle_since.run && resume.boot <= at)
    }

    fn is_for_secret(&self, attempt: &Attempt) -> bool {
        let call = &attempt.first;
        // While a valid token is held and no attempt has failed, another secret waits for the next attempt.
        let is_well = self.failing[1] == 0
            && self.rejections[1].is_none()
            && !self.is_blocked
            && !self.is_broken_off;
        if is_well
            && self
                .held
                .is_some_and(|held| attempt.begun.boot < held.surely)
        {
            return false;
        }
        // The secret of a cancelled attempt counts, too.
        let last = self.last.as_ref().map(|last| last.last.secret);
        let mut before = self.secret.into_iter().chain(last);
        if before.any(|secret| secret != call.secret) {
            return true;
        }
        // A read after a reload or a requested refresh finds that the obstacle is gone.
        let has_looked = self
            .life
            .loads()
            .any(|load| attempt.from.run <= load.until.run && load.until.run <= call.from.run);
        // Such a read may also have occurred during the stated wait, after which the profile may have rested.
        let since = self
            .last
            .as_ref()
            .map_or(Duration::ZERO, |last| last.until.run);
        if self.is_blocked
            && self.stated.is_some()
            && self.looks().any(|run| since <= run && run <= call.from.run)
        {
            return true;
        }
        // A store may be slow three times in a row.
        let recent = Duration::from_secs(12);
        has_looked
            && self.is_blocked
            && self
                .looks()
                .any(|run| run <= call.from.run && call.from.run <= run + recent)
    }

    /// Returns whether a noticed suspend may be the cause: running attempts are repeated at once, and a back-off ends
    /// soon.
    fn is_for_resume(&self, attempt: &Attempt) -> bool {
        let spaced = self.is_spaced(attempt.begun.boot);
        let may =
            self.is_broken_off || (spaced && self.failing[1] > 0 && self.rejections[0].is_none());
        let noticed = self.record.resumed(attempt.begun, NOTICED + DEMAND + GRAIN);
        may && (noticed.is_some() || self.rested_since_resume(attempt))
    }

    /// Returns whether a back-off that started over found no interested client, and one has asked since.
    fn rested_since_resume(&self, attempt: &Attempt) -> bool {
        // The machine may have slept before the last outcome, and the daemon noticed it later.
        let idle_since = self.last.as_ref().map_or(self.life.from, |last| last.known);
        let since = attempt.from.run.saturating_sub(idle_since.run) + NOTICED;
        let mut asks = self
            .requests
            .iter()
            .filter(|request| request.ask.is_asking());
        self.may_rest(attempt.from.boot.before(GRAIN))
            && self.record.resumed(attempt.from, since).is_some()
            && asks
                .any(|r| r.from.run <= attempt.from.run && attempt.from.run <= r.from.run + GRAIN)
    }

    /// Returns whether a report may be the cause: the first report of a token leads to a refresh, unless the issuer
    /// fails. The refreshes come ever later if fresh tokens keep being reported.
    fn is_for_report(&self, attempt: &Attempt) -> bool {
        let at = attempt.begun.boot;
        let may = self.is_spaced(at) && !self.reports.is_answered;
        let Some(held) = self.held.filter(|_| may) else {
            return false;
        };
        let backs_off = self.failing[0] > 0 && at < held.surely;
        let mut requests = self.requests.iter();
        self.rejections[0].is_none()
            && !self.is_blocked
            && !backs_off
            && requests.any(|r| {
                reports::may_name(r, &held)
                    && r.from.run <= attempt.begun.run
                    && at >= self.reports.allowed(r, held.first_issued)
            })
    }

    fn is_for_person(&self, attempt: &Attempt) -> bool {
        self.requests.iter().any(|request| {
            let refused = self.is_refused(request);
            matches!(request.ask, Ask::Refresh)
                && !refused
                && request.from.run <= attempt.begun.run
                && attempt.from.run <= request.from.run + GRAIN
        })
    }

    /// Returns whether a caller may be the cause. During a back-off, this needs that no valid token exists; then at
    /// most one attempt in 2 s is allowed, and none after the credential was rejected. While no attempt fails, a
    /// caller that wants more validity than the held token has may cause one, if a new token would help.
    fn is_for_caller(&self, attempt: &Attempt) -> bool {
        let at = attempt.begun.boot;
        if !self.rejections[0].is_none() || self.is_blocked || !self.is_spaced(at) {
            return false;
        }
        let is_long = |absence: &Absence| absence.is_long(at);
        if self.failing[0] > 0
            && self.absence.as_ref().is_some_and(is_long)
            && !self.may_have_resumed(at)
        {
            return false;
        }
        if !self.is_early(at) && !self.is_spaced_by(at, DEMAND_LATER) {
            return false;
        }
        let is_stated = self.stated.is_some_and(|stated| stated.is_wait);
        if is_stated && self.failing[0] > 0 {
            return false;
        }
        let idle_since = self.last.as_ref().map_or(self.life.from, |last| last.until);
        let mut waiting = self.requests.iter().filter(|request| {
            // A client that reports a token which is not held wants a token, too.
            (request.ask.is_for_token() || matches!(request.ask, Ask::Reject { .. }))
                && request.from.run <= attempt.begun.run
                && request.wants_until() >= idle_since.run
        });
        let Some(held) = self.held.filter(|held| at < held.surely) else {
            return waiting.next().is_some();
        };
        let is_useful = self.life.policy.reissue == Reissue::Normal
            && self.failing[0] == 0
            && (!held.repeated || held.extended);
        let left = held.surely.since(at);
        is_useful && waiting.any(|r| r.ask.min_valid().min(held.lifetime / 2) > left)
    }
}
