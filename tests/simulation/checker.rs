//! Reads a history and finds broken promises in it.
//!
//! It relies on what clients and issuers saw and on what was done to the machine, never on the daemon's statements.

mod absence;
mod answers;
mod attempts;
mod budget;
mod calls;
mod causes;
mod finding;
mod held;
mod limits;
mod moments;
mod record;
mod reports;
mod row;
mod walk;
mod watches;

use crate::history::History;
pub(crate) use finding::{Finding, Rule};
use record::Record;

/// Returns every promise that a history breaks.
pub(crate) fn check(history: &History) -> Vec<Finding> {
    let record = Record::of(history);
    let mut findings = vec![];
    calls::check(&record, &mut findings);
    answers::check(&record, &mut findings);
    reports::check(&record, &mut findings);
    watches::check(&record, &mut findings);
    findings.sort_by_key(|finding| finding.at);
    findings
}
