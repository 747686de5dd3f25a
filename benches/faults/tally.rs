//! The counts under each fault, and whether the promises were kept.

use std::time::Duration;

use super::way::IssuerFault;

/// How much later than its deadline a reply may arrive.
const GRACE: Duration = Duration::from_secs(1);

/// The counts under one fault.
#[derive(Debug, Clone, Default)]
pub(crate) struct Tally {
    /// The daemon's attempts that failed because of the fault, and how many of them while a token with 10 s or more
    /// left was held.
    pub(crate) met: u64,
    pub(crate) met_held: u64,
    pub(crate) requests: u64,
    /// Of the requests, those that were not answered at once.
    pub(crate) waited: u64,
    /// Of the requests, those without a token although one with 10 s or more left was held.
    pub(crate) failed: u64,
    /// Of the requests, those without a token although one with less than that was held.
    pub(crate) early: u64,
    /// Of the requests, those that were refused when no token was held.
    pub(crate) refused: u64,
    /// Of the refused ones, those that asked for more validity than was left when that was 10 s or more, and waited
    /// until the token expired.
    pub(crate) outwaited: u64,
    /// Replies that broke another promise.
    pub(crate) wrong: u64,
    /// The latest reply, counted from its deadline, or from the request if it did not have to wait.
    pub(crate) late: Duration,
    /// The longest time between the end of the fault and the next token.
    pub(crate) recovery: Duration,
    /// The durations of the requests for the held token, in microseconds.
    held: Vec<u32>,
}

impl Tally {
    /// Counts a request for the held token, with its duration.
    pub(crate) fn held(&mut self, took: Duration) {
        self.held
            .push(u32::try_from(took.as_micros()).unwrap_or(u32::MAX));
    }

    /// Returns the median and the 99th percentile of these durations.
    pub(crate) fn p50_p99(&self) -> [u32; 2] {
        let mut held = self.held.clone();
        held.sort_unstable();
        let last = held.len().saturating_sub(1);
        [50, 99].map(|percent| held.get(last * percent / 100).copied().unwrap_or(0))
    }

    /// Reports whether there was no violation.
    pub(crate) fn holds(&self) -> bool {
        self.failed + self.early + self.wrong == 0 && self.late <= GRACE
    }

    /// Reports whether the fault had its effects: it failed attempts while a token was held and served, it lasted until
    /// no token was held, and requests waited.
    pub(crate) fn was_met(&self) -> bool {
        self.met_held > 0 && !self.held.is_empty() && self.refused > 0 && self.waited > 0
    }

    fn take(&mut self, other: Self) {
        self.met += other.met;
        self.met_held += other.met_held;
        self.requests += other.requests;
        self.waited += other.waited;
        self.failed += other.failed;
        self.early += other.early;
        self.refused += other.refused;
        self.outwaited += other.outwaited;
        self.wrong += other.wrong;
        self.late = self.late.max(other.late);
        self.recovery = self.recovery.max(other.recovery);
        self.held.extend(other.held);
    }
}

/// Adds the counts of another client or director, fault by fault.
pub(crate) fn add(sums: &mut [Tally], more: Vec<Tally>) {
    for (sum, tally) in sums.iter_mut().zip(more) {
        sum.take(tally);
    }
}

/// Returns the sum of all counts.
pub(crate) fn total(tallies: &[Tally]) -> Tally {
    let mut all = Tally::default();
    for tally in tallies {
        all.take(tally.clone());
    }
    all
}

/// Prints the table.
pub(crate) fn print(ways: &[&IssuerFault], tallies: &[Tally]) {
    println!(
        "{:<20} {:<13} {:>9} {:>8} {:>7} {:>6} {:>5} {:>7}   {:>7} {:>7}  {:>7} {:>6}",
        "fault",
        "told as",
        "met, held",
        "requests",
        "waited",
        "failed",
        "wrong",
        "refused",
        "p50 µs",
        "p99 µs",
        "late ms",
        "back s"
    );
    let rows = ways.iter().map(|way| (way.shown(), way.told_as));
    for ((fault, told_as), tally) in rows.chain([("none, recovering", "")]).zip(tallies) {
        let [p50, p99] = tally.p50_p99();
        println!(
            "{fault:<20} {told_as:<13} {:>4} {:>4} {:>8} {:>7} {:>6} {:>5} {:>7}   {p50:>7} {p99:>7}  {:>7} {:>6.1}",
            tally.met,
            tally.met_held,
            tally.requests,
            tally.waited,
            tally.failed,
            tally.early + tally.wrong,
            tally.refused,
            tally.late.as_millis(),
            tally.recovery.as_secs_f64()
        );
    }
}
