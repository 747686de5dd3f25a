//! The result of one attack, and whether it is within the limits.

use super::honest::ClientResults;
use super::party::Tally;

/// The connections that the admin socket allows besides those of the token socket, if there are enough descriptors.
const ADMIN: u64 = 64;

/// The most memory that the daemon may use, in KiB: 12 MiB, 12 KiB for each allowed connection, and 8 MiB.
pub(crate) const MEMORY: u64 =
    (12 + 8) * 1024 + 12 * (jetond::daemon::serve::connections::MAX_TOTAL as u64 + ADMIN);

/// How much more memory the same attack may take the second time, in KiB.
const AGAIN: u64 = 4 * 1024;

/// The largest accepted ratio between a request's time at the daemon and at the bare server under the same attack.
const RATIO: f64 = 2.0;

/// The number of requests in a run from which its p99 is more than the time of one or two of them.
const MANY: usize = 500;

/// The result of an attack.
pub(crate) struct Report {
    name: &'static str,
    daemon: Vec<ClientResults>,
    twin: Vec<ClientResults>,
    peaks: Vec<u64>,
    /// The number of honest requests to the daemon.
    requests: usize,
    failed: Vec<String>,
    attackers: String,
}

/// The figures of the honest requests: by kind of connection and percentile.
pub(crate) const FIGURES: [(&str, Figure); 4] = [
    ("kept p50", |met| met.kept.at(500)),
    ("kept p99", |met| met.kept.at(990)),
    ("new p50", |met| met.new.at(500)),
    ("new p99", |met| met.new.at(990)),
];

/// A figure of a load, in µs.
pub(crate) type Figure = fn(&ClientResults) -> f64;

impl Report {
    pub(crate) fn new(name: &'static str) -> Self {
        Self {
            name,
            daemon: vec![],
            twin: vec![],
            peaks: vec![],
            requests: 0,
            failed: vec![],
            attackers: String::new(),
        }
    }

    /// Adds a run against the daemon, with the daemon's peak memory so far, in KiB.
    pub(crate) fn attacked(
        &mut self,
        met: ClientResults,
        tally: &Tally,
        reloads: Vec<String>,
        peak: u64,
    ) {
        self.repeated(&met, tally, reloads, peak);
        self.daemon.push(met);
    }

    /// Adds a run against the daemon without its times.
    pub(crate) fn repeated(
        &mut self,
        met: &ClientResults,
        tally: &Tally,
        reloads: Vec<String>,
        peak: u64,
    ) {
        self.requests += met.requests();
        self.failed.extend(met.failed().cloned());
        self.failed.extend(reloads);
        self.peaks.push(peak);
        self.attackers = tally.to_string();
    }

    /// Adds a run against the twin.
    pub(crate) fn compared(&mut self, met: ClientResults) {
        self.twin.push(met);
    }

    pub(crate) fn fail(&mut self, why: String) {
        self.failed.push(why);
    }

    /// Prints everything. Returns whether the counts are within the limits, and whether the times are.
    pub(crate) fn print(mut self) -> (bool, bool) {
        let requests = self.requests;
        let worst = self
            .daemon
            .iter()
            .map(ClientResults::worst)
            .max()
            .unwrap_or_default();
        let [first, last] = [self.peaks.first(), self.peaks.last()].map(|peak| *peak.unwrap_or(&0));
        if last > MEMORY {
            self.fail(format!("it took {last} KiB, and {MEMORY} KiB are allowed"));
        }
        // The kernel counts approximately: a later reading of the peak can be a little smaller.
        let more = last.saturating_sub(first);
        if more > AGAIN {
            self.fail(format!(
                "the same again took {more} KiB more, and {AGAIN} KiB are allowed"
            ));
        }
        println!("{}", self.name);
        println!("  {}", self.attackers);
        println!(
            "  {requests} honest requests, {} failed, the worst took {:.1} ms; {first} KiB at most, {} more after the \
             same again, {MEMORY} allowed",
            self.failed.len(),
            worst.as_secs_f64() * 1e3,
            more
        );
        let in_time = times(&self.daemon, &self.twin, "bare hyper", RATIO);
        for why in self.failed.iter().take(5) {
            println!("  FAILED: {why}");
        }
        (self.failed.is_empty(), in_time)
    }
}

/// Prints how two series of runs compare, and returns whether all medians of the ratios are at most `bar`. Each ratio
/// is of two consecutive runs, since the machine may be twice as fast a minute later.
pub(crate) fn times(
    here: &[ClientResults],
    there: &[ClientResults],
    other: &str,
    bar: f64,
) -> bool {
    let mut holds = true;
    for (name, figure) in FIGURES {
        let here: Vec<f64> = here.iter().map(figure).collect();
        let there: Vec<f64> = there.iter().map(figure).collect();
        let ratio = median(here.iter().zip(&there).map(|(a, b)| a / b).collect());
        let mark = if ratio > bar { " above the bar" } else { "" };
        holds &= ratio <= bar;
        println!(
            "    {name:<8} {:>9.0} µs, {other} {:>9.0} µs, ratio {ratio:.2}, at most {bar:.1}{mark}",
            median(here),
            median(there)
        );
    }
    holds
}

/// Prints how the requests under a fault compare with those without it, and with those while the control meets the
/// fault. Returns whether the ratios are at most `bar`.
///
/// A median is compared with that of the runs without the fault. A p99 counts as above the bar only if it is beside both,
/// since what it has in common with the control is the machine's share of the fault, and only if it is a p99 (see
/// [`MANY`]).
pub(crate) fn beside_control(
    with: &[ClientResults],
    without: &[ClientResults],
    control: &[ClientResults],
    bar: f64,
) -> bool {
    let mut holds = true;
    for (name, figure) in FIGURES {
        let ratio = |here: &[ClientResults], there: &[ClientResults]| {
            let pairs = here.iter().zip(there);
            median(pairs.map(|(a, b)| figure(a) / figure(b)).collect())
        };
        let ours = ratio(with, without);
        let is_many = with.iter().chain(without).all(|met| met.requests() >= MANY);
        let mark = match (ours > bar, ratio(with, control) > bar, is_many) {
            (false, ..) => "",
            _ if name.ends_with("p50") => " above the bar",
            (true, true, true) => " above the bar",
            (true, false, _) => ", as with the control",
            (true, true, false) => ", the time of one request",
        };
        holds &= !mark.ends_with("the bar");
        println!(
            "    {name:<8} {:>9.0} µs, without {:>9.0} µs, ratio {ours:.2}, control {:.2}, at most {bar:.1}{mark}",
            median(with.iter().map(figure).collect()),
            median(without.iter().map(figure).collect()),
            ratio(control, without)
        );
    }
    holds
}

fn median(mut figures: Vec<f64>) -> f64 {
    figures.sort_by(f64::total_cmp);
    figures.get(figures.len() / 2).copied().unwrap_or(f64::NAN)
}
