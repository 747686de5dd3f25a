//! For which reasons an attempt may have been made.

use std::time::Duration;

use jetond::instant::BootInstant;
use jetond::schedule::Reissue;

use super::absence::Absence;
use super::attempts::{Attempt, Cause, NOTICED};
use super::record::{GRAIN, RequestEnd, Requested};
use super::reports;
use super::walk::Walk;
use crate::history::Ask;

/// No two attempts that callers cause within this time.
pub(super) const DEMAND: Duration = Duration::from_secs(2);

/// For so long after an outage began; …
const EARLY: Duration = Duration::from_secs(30);

/// … after that, this is the least.
const DEMAND_LATER: Duration = Duration::from_millis(22_500);

impl Walk<'_> {
    /// Whether a refresh that was asked for was not made: the budget is used up, or the secret is known to be a bad one.
    /// One that was made has the same answer when the issuer rejects the secret for the first time.
    pub(super) fn is_refused(&self, request: &Requested) -> bool {
        let (RequestEnd::Answered(answer), Ask::Refresh) = (&request.end, &request.ask) else {
            return false;
        };
        let (from, until) = (request.from.run, request.until.run + GRAIN);
        let mut calls = self.life.calls();
        match answer.status {
            429 => true,
            // Held back, or rejected.
            502 | 503 => !calls.any(|call| from <= call.from.run && call.from.run <= until),
            _ => false,
        }
    }

    pub(super) fn causes(&self, attempt: &Attempt) -> Vec<Cause> {
        // One that takes the place of another has a reason of its own.
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

    /// Whether the last attempt began so long ago that callers may cause another.
    fn is_spaced(&self, at: BootInstant) -> bool {
        self.is_spaced_by(at, DEMAND)
    }

    fn is_spaced_by(&self, at: BootInstant, spacing: Duration) -> bool {
        let last = self.last.as_ref();
        last.is_none_or(|last| at >= last.from.boot.after(spacing))
    }

    /// Whether the outage has only begun, as far as callers are concerned.
    fn is_early(&self, at: BootInstant) -> bool {
        let Some(since) = self.outage else {
            return true;
        };
        at <= since.after(EARLY + GRAIN) || self.may_have_resumed(at)
    }

    /// Whether a suspend may have been noticed since the last attempt.
    fn may_have_resumed(&self, at: BootInstant) -> bool {
        let idle_since = self.last.as_ref().map_or(self.life.from, |last| last.known);
        let mut resumes = self.record.long_suspends();
        resumes.any(|resume| resume.run + NOTICED >= idle_since.run && resume.boot <= at)
    }

    fn is_for_secret(&self, attempt: &Attempt) -> bool {
        let call = &attempt.first;
        // While a valid token is held and all is well, another secret waits for the next attempt.
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
        // That of an attempt which was broken off counts as well.
        let last = self.last.as_ref().map(|last| last.last.secret);
        let mut before = self.secret.into_iter().chain(last);
        if before.any(|secret| secret != call.secret) {
            return true;
        }
        // A look after a reload, or after a refresh that was asked for, finds that what was in the way is gone.
        let has_looked = self
            .life
            .loads()
            .any(|load| attempt.from.run <= load.until.run && load.until.run <= call.from.run);
        // Or it found so while the stated wait went on, after which the profile may have rested.
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
        // A store may be slow, three times in a row.
        let recent = Duration::from_secs(12);
        has_looked
            && self.is_blocked
            && self
                .looks()
                .any(|run| run <= call.from.run && call.from.run <= run + recent)
    }

    /// A suspend is noticed: what runs is made anew at once, and what waits in a back-off goes on soon.
    fn is_for_resume(&self, attempt: &Attempt) -> bool {
        let spaced = self.is_spaced(attempt.begun.boot);
        let may =
            self.is_broken_off || (spaced && self.failing[1] > 0 && self.rejections[0].is_none());
        let noticed = self.record.resumed(attempt.begun, NOTICED + DEMAND + GRAIN);
        may && (noticed.is_some() || self.rested_since_resume(attempt))
    }

    /// A back-off that started over found that nobody asked any more; now somebody does.
    fn rested_since_resume(&self, attempt: &Attempt) -> bool {
        // It may have slept before, and have been told of it after.
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

    /// The first report of a token leads to a refresh, unless the issuer is in trouble; ever later where fresh tokens keep
    /// being reported.
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

    /// A caller never causes an attempt inside the back-off unless no valid token exists, then at most one in 2 s, and
    /// never once the credential was rejected; and where the next token is of use, one that wants more of it than is
    /// held does so while all goes well.
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
            // Whoever reports what is not held wants one, too.
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
