//! Reports that a token was rejected: one refresh for each token, however many report it; the newer one at once to the late;
//! and until there is a newer one, everybody else is told that it is stale.

use std::time::Duration;

use jetond::instant::BootInstant;

use super::answers::finds_at;
use super::held::Held;
use super::record::{GRAIN, Lived, Record, RequestEnd, Requested};
use super::{Finding, Rule};
use crate::history::{Ask, At};

/// A token that has been held so long is no fresh one.
const OLD: Duration = Duration::from_secs(15 * 60);

/// What is known of the reports of a life.
#[derive(Debug, Default)]
pub(super) struct Reports {
    /// Whether a report of the token held has led to its refresh.
    pub(super) is_answered: bool,
    /// How many tokens in a row took the place of a reported one: at least …
    surely: u32,
    /// … and at most.
    perhaps: u32,
}

/// Whether a request may be a report of this token.
pub(super) fn may_name(request: &Requested, held: &Held) -> bool {
    matches!(request.ask, Ask::Reject { token, .. } if token == held.token)
}

/// Whether a request is a report of this token, which is held when it comes.
pub(super) fn names(request: &Requested, held: &Held, life: &Lived) -> bool {
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
    /// From when on a report of the token held may lead to a refresh: at once for the first two in a row, then 1, 2, 4 …
    /// 15 min after its issue.
    pub(super) fn allowed(&self, issued: BootInstant) -> BootInstant {
        match self.surely {
            0 | 1 => issued,
            n => issued.after(Duration::from_secs((60_u64 << (n - 2).min(10)).min(900))),
        }
    }

    /// Whether the next report may lead to nothing yet.
    pub(super) const fn may_cool(&self) -> bool {
        self.perhaps > 1
    }

    /// A token has come when this one was held.
    pub(super) fn after(
        &mut self,
        requests: &[&Requested],
        before: &Held,
        held: Held,
        until: At,
        life: &Lived,
    ) {
        if before.token == held.token {
            return;
        }
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
        self.surely = match surely {
            Some(_) if is_old => 1,
            Some(_) => self.surely + 1,
            None => 0,
        };
        self.perhaps = if named(false).is_some() {
            self.perhaps + 1
        } else {
            0
        };
        self.is_answered = false;
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

/// Nobody gets the token again that it reported; and who reports an older one than the one held gets that at once.
fn the_late_are_served(
    record: &Record,
    life: &Lived,
    terms: &[(Held, At)],
    request: &Requested,
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
    life: &Lived,
    terms: &[(Held, At)],
    findings: &mut Vec<Finding>,
) {
    for (request, at, _, answer) in record.answers() {
        // Plain text and OAuth 2.0 have no word for it, and only a whole answer can be compared with when it was asked.
        // Who reads slowly finds what was said some time ago.
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
