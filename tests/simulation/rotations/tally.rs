//! Counts what the rotations of one or many runs have met.

use std::fmt;

/// The counts.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Tally {
    /// Rotations that ended with another key.
    pub(crate) rotations: u32,
    /// Processes that were killed while a rotation was open.
    pub(crate) killed: u32,
    /// Suspends and steps of the wall clock during an open rotation, and boots.
    pub(crate) disturbed: u32,
    /// Calls that were refused or never arrived.
    pub(crate) refused: u32,
    /// Calls whose answers were lost.
    pub(crate) lost: u32,
    /// Calls that were executed late.
    pub(crate) late: u32,
    /// Calls that were executed twice.
    pub(crate) twice: u32,
    /// Writes to the store or the journal that failed.
    pub(crate) not_written: u32,
    /// Writes with an unknown outcome.
    pub(crate) unknown: u32,
    /// Requests that were answered.
    pub(crate) requests: u32,
}

impl Tally {
    pub(crate) fn add(&mut self, other: &Self) {
        let mut other = *other;
        for ((_, sum), (_, count)) in self.rows().into_iter().zip(other.rows()) {
            *sum += *count;
        }
    }

    /// Returns the events that a thousand seeds must meet and this many seeds have not met.
    pub(crate) fn missing(mut self, seeds: u64) -> Vec<String> {
        if seeds < 1_000 {
            return vec![];
        }
        let rows = self.rows().into_iter();
        let few = rows.filter(|(what, count)| **count < wanted(what));
        few.map(|(what, count)| format!("{what}: only {count}"))
            .collect()
    }

    fn rows(&mut self) -> [(&'static str, &mut u32); 10] {
        [
            (ROTATIONS, &mut self.rotations),
            ("kills during one", &mut self.killed),
            ("suspends, clock steps and boots", &mut self.disturbed),
            ("calls refused", &mut self.refused),
            ("answers lost", &mut self.lost),
            ("calls executed late", &mut self.late),
            ("calls executed twice", &mut self.twice),
            ("writes failed", &mut self.not_written),
            ("writes of unknown fate", &mut self.unknown),
            ("requests", &mut self.requests),
        ]
    }
}

const ROTATIONS: &str = "rotations";

fn wanted(what: &str) -> u32 {
    if what == ROTATIONS { 1_000 } else { 100 }
}

impl fmt::Display for Tally {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut tally = *self;
        let rows = tally.rows().map(|(what, count)| format!("{what} {count}"));
        f.write_str(&rows.join(", "))
    }
}
