//! Counts what the rotations of one or many runs have met.

use std::fmt;

/// The counts.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Tally {
    /// Rotations with overlap: they ended with another key.
    pub(crate) rotations: u32,
    /// Rotations in place that ended with another secret.
    pub(crate) in_place: u32,
    /// Rotations in place that needed a person.
    pub(crate) needed_human: u32,
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

    /// Returns the number of rotations of both kinds.
    pub(crate) fn all_rotations(&self) -> u32 {
        self.rotations + self.in_place
    }

    fn rows(&mut self) -> [(&'static str, &mut u32); 12] {
        [
            (ROTATIONS, &mut self.rotations),
            (IN_PLACE, &mut self.in_place),
            (NEEDED_HUMAN, &mut self.needed_human),
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

const ROTATIONS: &str = "rotations with overlap";
const IN_PLACE: &str = "in place";
const NEEDED_HUMAN: &str = "needed a person";

fn wanted(what: &str) -> u32 {
    match what {
        ROTATIONS | IN_PLACE => 1_000,
        // The answer is lost, and then the kept token expires or is not accepted any more.
        NEEDED_HUMAN => 20,
        _ => 100,
    }
}

impl fmt::Display for Tally {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut tally = *self;
        let rows = tally.rows().map(|(what, count)| format!("{what} {count}"));
        f.write_str(&rows.join(", "))
    }
}
