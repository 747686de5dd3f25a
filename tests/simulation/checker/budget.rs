//! Limits the number of calls that the issuers saw.

use std::time::Duration;

use jetond::instant::BootInstant;

use super::attempts::Cause;
use super::attempts::{Attempt, Outcome};
use super::record::{GRAIN, ProfileLife};
use super::{Finding, Rule};

/// The maximum number of calls in an hour without a token.
const HOURLY: usize = 210;

/// The maximum number of failed attempts in an hour, whatever callers do.
const FAILED_HOURLY: usize = 250;

pub(super) fn one_at_a_time(life: &ProfileLife, findings: &mut Vec<Finding>) {
    let calls: Vec<_> = life.calls().collect();
    for call in calls
        .iter()
        .filter(|call| call.from.run > life.until.run + GRAIN)
    {
        let text = format!(
            "call {} of life {} comes after its end",
            call.number, life.number
        );
        findings.push(Finding::new(Rule::OneAtATime, call.from, text));
    }
    for pair in calls.windows(2) {
        let [one, two] = pair else { continue };
        // A call that is cancelled in favour of another ends when that one begins.
        if two.from.run < one.until.run {
            findings.push(Finding::new(
                Rule::OneAtATime,
                two.from,
                format!("call {} begins while call {} runs", two.number, one.number),
            ));
        }
    }
}

pub(super) fn check(
    life: &ProfileLife,
    attempts: &[Attempt],
    causes: &[Vec<Cause>],
    findings: &mut Vec<Finding>,
) {
    let pairs = || attempts.iter().zip(causes);
    // Attempts for callers, persons and reports have their own limits.
    let own = |causes: &Vec<Cause>| causes.iter().all(|cause| *cause == Cause::Due);
    let calls: Vec<_> = pairs()
        .filter(|(_, cause)| own(cause))
        .map(|(a, _)| a)
        .collect();
    for three in calls.windows(3) {
        let [first, _, third] = three else { continue };
        if third.first.from.boot.since(first.first.from.boot) < Duration::from_secs(1) {
            findings.push(Finding::new(
                Rule::Budget,
                third.first.from,
                format!("call {} is the third in a second", third.first.number),
            ));
        }
    }
    let failed: Vec<_> = attempts
        .iter()
        .filter(|attempt| matches!(attempt.outcome, Outcome::Failed(_) | Outcome::Rejected(_)))
        .collect();
    for many in failed.windows(FAILED_HOURLY + 1) {
        let (first, last) = (many[0].first.from, many[FAILED_HOURLY].first.from);
        if last.boot.since(first.boot) < Duration::from_secs(3_600) {
            let text = format!(
                "{} attempts of life {} failed in an hour",
                many.len(),
                life.number
            );
            findings.push(Finding::new(Rule::Failures, last, text));
        }
    }
    let mut outage: Vec<BootInstant> = vec![];
    for (attempt, causes) in pairs() {
        let at = attempt.first.from;
        outage.retain(|from| at.boot.since(*from) < Duration::from_secs(3_600));
        if own(causes) {
            outage.push(at.boot);
        }
        if outage.len() == HOURLY + 1 {
            let text = format!(
                "life {} made {} calls in an hour",
                life.number,
                outage.len()
            );
            findings.push(Finding::new(Rule::Budget, at, text));
        }
        if attempt.outcome == Outcome::Granted {
            outage.clear();
        }
    }
}
