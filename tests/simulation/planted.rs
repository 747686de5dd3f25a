//! Bugs that are planted into runs, to see that the checker finds them: each rule has one that nothing else is to find.

use libtest_mimic::Failed;

use crate::checker::{self, Rule};
use crate::run;

/// A bug, in what the daemon is made to believe or in what passes its answers on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Bug {
    /// The daemon counts lifetimes on a clock that stands still in suspend.
    MonotonicClock,
    /// The daemon counts lifetimes on the wall clock.
    WallClock,
    /// Its alarms ring three seconds late.
    LateAlarm,
    /// A provider that asks again by itself.
    ImpatientProvider,
    /// A provider that asks twice at once.
    TwoCallsAtOnce,
    /// A jitter that is always the smallest.
    NoJitter,
    /// A door that is slow to pass answers on.
    SlowDoor,
    /// A door that is slow to pass on what those get who wait, but inside their deadline.
    LazyDoor,
    /// A door that tells some of an older generation.
    ForgetfulDoor,
    /// A door that says of no token that it is stale.
    FlatteringDoor,
    /// A door that tells those who watch everything twice.
    StutteringDoor,
    /// A provider that goes on failing when its issuer works.
    DeafProvider,
}

/// Which rule finds which bug.
pub(crate) const PLANTED: [(Bug, Rule); 14] = [
    (Bug::MonotonicClock, Rule::Expired),
    (Bug::WallClock, Rule::Expired),
    (Bug::WallClock, Rule::Served),
    (Bug::ForgetfulDoor, Rule::Generations),
    (Bug::ImpatientProvider, Rule::BackOff),
    (Bug::LateAlarm, Rule::Punctual),
    (Bug::SlowDoor, Rule::Deadline),
    (Bug::NoJitter, Rule::Budget),
    (Bug::TwoCallsAtOnce, Rule::OneAtATime),
    (Bug::LazyDoor, Rule::Shared),
    (Bug::FlatteringDoor, Rule::Reports),
    (Bug::StutteringDoor, Rule::Watches),
    (Bug::DeafProvider, Rule::Recovers),
    (Bug::MonotonicClock, Rule::Punctual),
];

/// Plants a bug into one seed after the other until the rule finds it.
pub(crate) fn is_found(bug: Bug, rule: Rule) -> Result<(), Failed> {
    /// Nearly all show in the first few.
    const SEEDS: u64 = 100;
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
