//! Checks reports of rejected tokens.
//!
//! Each token leads to one refresh, however many clients report it. Later reports get the newer token at once. Until
//! there is a newer one, other clients see that the token is stale.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use jetond::instant::BootInstant;

use super::answers::finds_at;
use super::attempts::Attempt;
use super::attempts::Cause;
use super::held::Held;
use super::record::{ClientRequest, GRAIN, ProfileLife, Record, RequestEnd};
use super::{Finding, Rule};
use crate::history::{Ask, Moment};
use crate::world::UID;

/// A token that has been held this long is not fresh any more.
const OLD: Duration = Duration::from_secs(15 * 60);

const HOUR: Duration = Duration::from_secs(3_600);

/// The maximum number of refreshes in an hour for reports of users other than our own.
const HOURLY: usize = 20;

/// The state of the reports of a life.
#[derive(Debug, Default)]
pub(super) struct Reports {
    /// Whether a report of the held token has led to its refresh.
    pub(super) is_answered: bool,
    /// For each user, how many tokens in a row were replaced because of its reports.
    rows: BTreeMap<u32, Row>,
    /// When reports of only other users led to a refresh.
    of_others: Vec<BootInstant>,
    /// When reports of other users may have led to a refresh.
    perhaps_of_others: Vec<BootInstant>,
}

#[derive(Debug, Default, Clone, Copy)]
struct Row {
    /// The minimum.
    surely: u32,
    /// The maximum.
    perhaps: u32,
}

/// Returns the user of a report; `None` for another request.
fn reporter(request: &ClientRequest) -> Option<u32> {
    match request.ask {
        Ask::Reject { uid, .. } => Some(uid),
        _ => None,
    }
}

fn is_ours(uid: u32) -> bool {
    uid == UID || uid == 0
}

/// Returns whether a request may be a report of this token.
pub(super) fn may_name(request: &ClientRequest, held: &Held) -> bool {
    matches!(request.ask, Ask::Reject { token, .. } if token == held.token)
}

/// Returns whether a request is surely a report of this token, which is held when the request arrives.
pub(super) fn names(request: &ClientRequest, held: &Held, life: &ProfileLife) -> bool {
    let Ask::Reject {
        token,
        life: whose,
        got,
        by_hash,
        ..
    } = request.ask
    else {
        return false;
    };
    let by_number = whose == life.number && got >= held.since.run && !held.again;
    token == held.token && (by_hash || by_number) && request.from.run > held.since.run + GRAIN
}

impl Reports {
    /// Returns when a report of the held token may lead to a refresh: at once for the first two of its user in a row,
    /// then 1, 2, 4 up to 15 min after the token's issue.
    pub(super) fn allowed(&self, request: &ClientRequest, issued: BootInstant) -> BootInstant {
        match self.row(request).surely {
            0 | 1 => issued,
            n => issued.after(Duration::from_secs((60_u64 << (n - 2).min(10)).min(900))),
        }
    }

    fn row(&self, request: &ClientRequest) -> Row {
        let uid = reporter(request);
        uid.and_then(|uid| self.rows.get(&uid).copied())
            .unwrap_or_default()
    }

    /// Returns whether a cool-down may prevent this report from leading to a refresh.
    pub(super) fn may_cool(&self, request: &ClientRequest) -> bool {
        let is_ours = reporter(request).is_some_and(is_ours);
        let at = request.from.boot;
        let recent = self.perhaps_of_others.iter();
        let recent = recent.filter(|before| at.since(**before) <= HOUR).count();
        self.row(request).perhaps > 1 || (!is_ours && recent >= HOURLY)
    }

    /// Counts an attempt that reports of other users caused, or may have caused.
    pub(super) fn count(
        &mut self,
        attempt: &Attempt,
        causes: &[Cause],
        requests: &[&ClientRequest],
        held: Option<&Held>,
        findings: &mut Vec<Finding>,
    ) {
        let Some(held) = held.filter(|_| causes.contains(&Cause::Report)) else {
            return;
        };
        let at = attempt.begun;
        let mut named = requests
            .iter()
            .filter(|r| may_name(r, held) && r.from.run <= at.run);
        if named
            .clone()
            .any(|r| reporter(r).is_some_and(|uid| !is_ours(uid)))
        {
            self.perhaps_of_others.push(at.boot);
        }
        let is_theirs = named.all(|r| reporter(r).is_some_and(|uid| !is_ours(uid)));
        if is_theirs && causes == [Cause::Report] {
            self.of_others.push(at.boot);
        }
        let before = self.of_others.len().checked_sub(HOURLY + 1);
        if before.is_some_and(|i| at.boot.since(self.of_others[i]) < HOUR) {
            let text = "reports of other users led to too many refreshes in an hour".to_owned();
            findings.push(Finding::new(Rule::Reporters, at, text));
        }
    }

    /// Updates the state when a token replaces the token `before`.
    pub(super) fn after(
        &mut self,
        requests: &[&ClientRequest],
        before: &Held,
        held: Held,
        until: Moment,
        life: &ProfileLife,
        is_for_report: bool,
    ) {
        if before.token == held.token {
            return;
        }
        self.is_answered = false;
        let reporters: BTreeSet<u32> = requests.iter().filter_map(|r| reporter(r)).collect();
        let may_cause = |uid| {
            requests
                .iter()
                .any(|r| reporter(r) == Some(uid) && may_name(r, before) && r.from.run <= until.run)
        };
        let causes = reporters.iter().filter(|uid| may_cause(**uid)).count();
        for uid in reporters {
            let of_user: Vec<_> = requests
                .iter()
                .filter(|r| reporter(r) == Some(uid))
                .copied()
                .collect();
            let row = self.rows.entry(uid).or_default();
            row.after(
                uid,
                &of_user,
                before,
                until,
                life,
                is_for_report && causes == 1,
            );
        }
    }
}

impl Row {
    /// Updates the row when a token replaces the token `before`.
    fn after(
        &mut self,
        uid: u32,
        requests: &[&ClientRequest],
        before: &Held,
        until: Moment,
        life: &ProfileLife,
        is_only_cause: bool,
    ) {
        let named = |surely: bool| {
            let mut reports = requests.iter().filter(|request| {
                if surely {
                    names(request, before, life) && request.from.run + GRAIN < until.run
                } else {
                    may_name(request, before) && request.from.run <= until.run
                }
            });
            reports.next()
        };
        let surely = named(true);
        let is_old = surely.is_some_and(|r| r.from.boot.since(before.first_issued) + GRAIN >= OLD);
        let is_cause = u32::from(is_only_cause && named(false).is_some());
        self.surely = match surely {
            Some(_) if is_old => is_cause,
            Some(_) => self.surely + is_cause,
            // For another user, an unreported token in between proves nothing, but the user may have been silent for
            // long.
            None => 0,
        };
        let is_silent = !requests
            .iter()
            .any(|r| r.from.boot.after(OLD * 2) >= until.boot && r.from.run <= until.run);
        self.perhaps = match named(false) {
            Some(_) => self.perhaps + 1,
            None if is_ours(uid) || is_silent => 0,
            None => self.perhaps,
        };
    }
}

pub(super) fn check(record: &Record, findings: &mut Vec<Finding>) {
    for life in &record.lives {
        let terms = Held::terms(life);
        for request in record.requests.iter().filter(|r| r.profile == life.profile) {
            the_late_are_served(record, life, &terms, request, findings);
        }
        what_is_reported_is_stale(record, life, &terms, findings);
    }
}

/// Checks that no client gets the token again that it reported, and that a report of an older token gets the held one
/// at once.
fn the_late_are_served(
    record: &Record,
    life: &ProfileLife,
    terms: &[(Held, Moment)],
    request: &ClientRequest,
    findings: &mut Vec<Finding>,
) {
    let Ask::Reject {
        generation, token, ..
    } = request.ask
    else {
        return;
    };
    let RequestEnd::Answered(answer) = &request.end else {
        return;
    };
    let met = record.life_of(request).map(|met| met.number);
    if met != Some(life.number) {
        return;
    }
    if answer.status == 200 && answer.generation == Some(generation) {
        let what = "gets the token again that it reported";
        finds_at(findings, Rule::Reports, request.until, request, what);
    }
    let mut terms = terms.iter();
    let Some((held, _)) = terms.find(|(held, until)| {
        held.since.run + GRAIN < request.from.run && request.from.run + GRAIN < until.run
    }) else {
        return;
    };
    let is_late = held.token != token && held.surely > request.from.boot.after(GRAIN);
    let at_once = request.until.run <= request.from.run + GRAIN && answer.status == 200;
    if is_late && !at_once {
        let what = format!("does not get token {} at once, which is newer", held.token);
        finds_at(findings, Rule::Reports, request.until, request, &what);
    }
}

fn what_is_reported_is_stale(
    record: &Record,
    life: &ProfileLife,
    terms: &[(Held, Moment)],
    findings: &mut Vec<Finding>,
) {
    for (request, at, _, answer) in record.answers() {
        // Plain text and OAuth 2.0 cannot express staleness, and only a complete answer can be compared with the time
        // of its request. A slow reader receives old events.
        let is_slow =
            matches!(request.ask, Ask::Watch { reads_after, .. } if !reads_after.is_zero());
        if is_slow || request.profile != life.profile || !answer.body.contains("\"stale\"") {
            continue;
        }
        let asked = if matches!(request.ask, Ask::Watch { .. }) {
            at
        } else {
            request.from
        };
        let Some((held, _)) = terms.iter().find(|(held, until)| {
            let name = format!("tok-p{}-{}", life.profile, held.token);
            answer.token.as_deref() == Some(&name)
                && held.since <= asked
                && at.run + GRAIN < until.run
        }) else {
            continue;
        };
        let reports = || record.requests.iter().filter(|r| r.profile == life.profile);
        let reported = reports().any(|r| {
            let answered = matches!(r.end, RequestEnd::Answered(_));
            answered && names(r, held, life) && r.from.run + GRAIN < asked.run
        });
        let perhaps = reports().any(|r| may_name(r, held) && r.from <= at);
        let long = held.surely.since(at.boot) >= request.ask.min_valid().min(held.lifetime / 2);
        if reported && !answer.stale {
            let what = "gets a token that was reported, and is not told so";
            finds_at(findings, Rule::Reports, at, request, what);
        }
        if answer.stale && !perhaps && long && !held.again {
            let what = "is told that a good token is stale";
            finds_at(findings, Rule::Reports, at, request, what);
        }
    }
}
