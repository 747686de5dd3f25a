//! Bugs that are planted into runs to prove that the checker finds them.
//!
//! Each rule has a bug that only this rule must find.

use libtest_mimic::Failed;

use crate::bug::Bug;
use crate::checker::{self, Rule};
use crate::{rotations, run};

/// The maximum number of seeds per bug. Nearly all bugs show in the first few.
const SEEDS: u64 = 100;

/// The rule that finds each bug.
pub(crate) const PLANTED: [(Bug, Rule); 18] = [
    (Bug::MonotonicClock, Rule::Expired),
    (Bug::WallClock, Rule::Expired),
    (Bug::WallClock, Rule::Served),
    (Bug::ForgetfulDoor, Rule::Generations),
    (Bug::ImpatientProvider, Rule::BackOff),
    (Bug::HastyProvider, Rule::RetryAfter),
    (Bug::InsistentProvider, Rule::Failures),
    (Bug::OneUser, Rule::Reporters),
    (Bug::LateAlarm, Rule::Punctual),
    (Bug::SlowDoor, Rule::Deadline),
    (Bug::NoJitter, Rule::Budget),
    (Bug::TwoCallsAtOnce, Rule::OneAtATime),
    (Bug::LazyDoor, Rule::Shared),
    (Bug::FlatteringDoor, Rule::Reports),
    (Bug::StutteringDoor, Rule::Watches),
    (Bug::DeafProvider, Rule::Recovers),
    (Bug::PoliteProvider, Rule::Former),
    (Bug::MonotonicClock, Rule::Punctual),
];

/// The rule that finds each bug of rotations.
pub(crate) const PLANTED_IN_ROTATIONS: [(rotations::Bug, rotations::Rule); 13] = [
    (rotations::Bug::DeletesEarly, rotations::Rule::Lost),
    (rotations::Bug::ManyNames, rotations::Rule::Two),
    (rotations::Bug::NoJournal, rotations::Rule::Ends),
    (rotations::Bug::NoLastLook, rotations::Rule::Ends),
    (rotations::Bug::KeepsOldKey, rotations::Rule::Ends),
    (rotations::Bug::HastyClock, rotations::Rule::Cut),
    (rotations::Bug::OldTokens, rotations::Rule::Dead),
    (rotations::Bug::HeldStore, rotations::Rule::Unnoticed),
    (rotations::Bug::EmptySlot, rotations::Rule::Kept),
    (rotations::Bug::HiddenLoss, rotations::Rule::Settled),
    (rotations::Bug::TardyIssuer, rotations::Rule::Lost),
    (rotations::Bug::SlowReplicas, rotations::Rule::Person),
    (rotations::Bug::RestlessStore, rotations::Rule::Person),
];

/// Plants a bug into one seed after the other until the rule finds it.
pub(crate) fn is_found(bug: Bug, rule: Rule) -> Result<(), Failed> {
    let shows = |seed: &u64| {
        let run = run::play(*seed, Some(bug));
        let findings = checker::check(&run.history);
        findings.iter().any(|finding| finding.rule == rule)
    };
    match (0..SEEDS).find(shows) {
        Some(_) => Ok(()),
        None => Err(format!("{rule:?} does not find {bug:?} in {SEEDS} seeds").into()),
    }
}

/// Plants a bug of rotations into one seed after the other until the rule finds it.
pub(crate) fn is_found_in_rotations(
    bug: rotations::Bug,
    rule: rotations::Rule,
) -> Result<(), Failed> {
    let shows = |seed: &u64| {
        let run = rotations::play(*seed, Some(bug));
        let findings = rotations::check(&run.history);
        findings.iter().any(|finding| finding.rule == rule)
    };
    match (0..SEEDS).find(shows) {
        Some(_) => Ok(()),
        None => Err(format!("{rule:?} does not find {bug:?} in {SEEDS} seeds").into()),
    }
}
