//! A fleet against one issuer: ten thousand daemons that start in the same second, with tokens of one hour, and the
//! load on the issuer with and without an outage.
//!
//! Every daemon is the real state machine with the real schedule. Only its surroundings are simulated: an issuer that
//! answers after 100 ms or refuses at once, and a seeded generator for the jitter. A seed reproduces its run to the
//! byte. A figure over its limit fails the run. The plot is written to `benches/fleet.svg`, which the README shows.
//!
//! `JETON_FLEET_SEED` sets the seed (default 1).
#![expect(
    clippy::unwrap_used,
    clippy::print_stdout,
    clippy::indexing_slicing,
    clippy::disallowed_methods,
    reason = "a program for developers: it stops at the first surprise"
)]

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::ops::Range;
use std::process::ExitCode;
use std::time::Duration;

use jetond::fault::{Fault, FaultKind};
use jetond::instant::BootInstant;
use jetond::lifecycle::{Effect, Event, Lifecycle, Policy};
use jetond::schedule::{DEMAND_SPACING, FAILURES_HOURLY, Jitter, RejectionCount};
use jetond::token::{AccessToken, Grant};
use plotters::prelude::*;

const DAEMONS: usize = 10_000;
const LIFETIME: Duration = Duration::from_secs(3_600);
const HOUR: usize = 3_600;
/// The simulated time, in seconds.
const END: usize = 9 * HOUR;
/// The length of a step, in seconds. Calls are counted per step.
const STEP: usize = 10;
/// The mean number of calls in a step: each daemon makes two in a lifetime.
const MEAN: f64 = (DAEMONS * STEP) as f64 / (HOUR as f64 / 2.0);
/// How long a working issuer takes to answer.
const ANSWER: Duration = Duration::from_millis(100);
/// How long a refusal takes.
const REFUSAL: Duration = Duration::from_millis(1);

fn main() -> ExitCode {
    let seed = std::env::var("JETON_FLEET_SEED").map_or(1, |seed| seed.parse().unwrap());
    let calm = Run::new(seed, 0..0);
    let half = Run::new(seed, 4 * HOUR..4 * HOUR + HOUR / 2);
    let whole = Run::new(seed, 4 * HOUR..5 * HOUR);
    let hammered = Run::hammered(seed, 4 * HOUR..5 * HOUR);

    let outage = half.peak(half.outage.clone());
    let end = half.outage.end;
    let figures = [
        (
            "first cycle, busiest 10 s over the mean",
            calm.peak(1..HOUR / 2 + HOUR / 5),
            3.5,
        ),
        ("after three hours, the same", calm.peak(3 * HOUR..END), 2.0),
        (
            "in the minute after an outage of 30 min, over the outage's own",
            half.peak(end..end + 60) / outage,
            1.0,
        ),
        (
            "after that minute, busiest 10 s over the mean",
            half.peak(end + 60..END),
            4.0,
        ),
        (
            "calls of a daemon in an outage of an hour, the most",
            f64::from(whole.most_calls),
            210.0,
        ),
        (
            "the same, whatever callers do",
            f64::from(hammered.most_calls),
            f64::from(FAILURES_HOURLY),
        ),
        (
            "calls of a daemon in a second, the most",
            f64::from(whole.most_in_a_second),
            2.0,
        ),
        (
            "of a lifetime used up when its refresh starts, the most",
            calm.latest_refresh,
            0.61,
        ),
        (
            "refreshes that came after the expiry, without an outage",
            f64::from(calm.without_token),
            0.0,
        ),
    ];
    println!(
        "{DAEMONS} daemons started in one second, tokens of an hour, seed {seed}; the mean is {MEAN:.1} calls in {STEP} s"
    );
    for (what, seen, limit) in figures {
        let verdict = if seen <= limit { "" } else { "  OVER" };
        println!("{what:<64} {seen:>7.2}  (at most {limit}){verdict}");
    }
    plot(&calm, &half);
    if figures.iter().all(|(_, seen, limit)| seen <= limit) {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    }
}

/// One simulated fleet, and the load on its issuer.
struct Run {
    /// The seconds from the start in which the issuer refuses.
    outage: Range<usize>,
    /// Whether callers continually ask for an attempt during the outage.
    is_hammered: bool,
    /// The calls in each step, without the daemons' first ones.
    calls: Vec<u32>,
    /// The most calls of one daemon during the outage.
    most_calls: u32,
    /// The most calls of one daemon in any second.
    most_in_a_second: u32,
    /// The largest part of a lifetime that had passed when a daemon requested the next token.
    latest_refresh: f64,
    /// How often a daemon's held token had expired when the next one came.
    without_token: u32,
}

/// One daemon of the fleet.
struct Daemon {
    lifecycle: Lifecycle,
    /// The running attempt: its number, the time it was sent, and whether it will succeed.
    attempt: Option<(u64, BootInstant, bool)>,
    calls_in_outage: u32,
    /// The times of its last calls.
    last_calls: [Option<BootInstant>; 3],
}

// === impl Run ===

impl Run {
    fn new(seed: u64, outage: Range<usize>) -> Self {
        Self::play(seed, outage, false)
    }

    /// Does the same with callers that ask for an attempt every two seconds of the outage, and a daemon that ignores
    /// the budget of requested refreshes.
    fn hammered(seed: u64, outage: Range<usize>) -> Self {
        Self::play(seed, outage, true)
    }

    fn play(seed: u64, outage: Range<usize>, is_hammered: bool) -> Self {
        let mut run = Self {
            outage,
            is_hammered,
            calls: vec![0; END / STEP],
            most_calls: 0,
            most_in_a_second: 0,
            latest_refresh: 0.0,
            without_token: 0,
        };
        let mut random = fastrand::Rng::with_seed(seed);
        let mut queue = BinaryHeap::new();
        let mut fleet: Vec<Daemon> = (0..DAEMONS)
            .map(|number| {
                let start = at(0).after(Duration::from_secs_f64(random.f64()));
                queue.push(Reverse((start, number)));
                Daemon::new(start)
            })
            .collect();
        while let Some(Reverse((now, number))) = queue.pop() {
            let second = now.since(at(0)).as_secs_f64() as usize;
            if second >= END {
                break;
            }
            let next = run.step(&mut fleet[number], now, second, Jitter::new(random.f64()));
            queue.push(Reverse((next, number)));
        }
        run.most_calls = fleet
            .iter()
            .map(|daemon| daemon.calls_in_outage)
            .max()
            .unwrap();
        run
    }

    /// Processes one event of one daemon; returns the time of its next one.
    fn step(
        &mut self,
        daemon: &mut Daemon,
        now: BootInstant,
        second: usize,
        jitter: Jitter,
    ) -> BootInstant {
        let hammers = self.is_hammered && self.outage.contains(&second);
        let event = match daemon.attempt.take() {
            None if hammers => Event::RefreshRequested,
            // Callers ask all the time: a resting daemon would make no calls.
            None => Event::Due { asked: now },
            Some((attempt, sent, true)) => {
                let held = daemon.lifecycle.view().held;
                self.without_token += u32::from(held.is_some_and(|held| !held.validity.holds(now)));
                Event::Fetched {
                    attempt,
                    sent,
                    grant: grant(now),
                    date: None,
                }
            }
            Some((attempt, _, false)) => Event::Failed {
                attempt,
                fault: Fault::new(FaultKind::Connect, "refused"),
                rejections: RejectionCount::NONE,
            },
        };
        if let Effect::Fetch { attempt } = daemon.lifecycle.step(now, jitter, event) {
            let works = !self.outage.contains(&second);
            daemon.attempt = Some((attempt, now, works));
            if attempt > 1 {
                self.calls[second / STEP] += 1;
            }
            if let Some(held) = daemon.lifecycle.view().held {
                let age = now.since(held.validity.issued).div_duration_f64(LIFETIME);
                self.latest_refresh = self.latest_refresh.max(age);
            }
            daemon.calls_in_outage += u32::from(!works);
            self.most_in_a_second = self.most_in_a_second.max(daemon.called(now));
            return now.after(if works { ANSWER } else { REFUSAL });
        }
        let next = daemon.lifecycle.next_wake().unwrap();
        if hammers {
            next.min(now.after(DEMAND_SPACING))
        } else {
            next
        }
    }

    /// Returns the most calls of a step in these seconds, divided by the mean.
    fn peak(&self, seconds: Range<usize>) -> f64 {
        let steps = &self.calls[seconds.start / STEP..seconds.end / STEP];
        f64::from(*steps.iter().max().unwrap()) / MEAN
    }
}

// === impl Daemon ===

impl Daemon {
    fn new(start: BootInstant) -> Self {
        Self {
            lifecycle: Lifecycle::new(start, 0, Policy::default()),
            attempt: None,
            calls_in_outage: 0,
            last_calls: [None; 3],
        }
    }

    /// Records a call; returns the number of calls in the second that ends with it.
    fn called(&mut self, now: BootInstant) -> u32 {
        self.last_calls.rotate_right(1);
        self.last_calls[0] = Some(now);
        let recent = self.last_calls.iter().flatten();
        let counted = recent.filter(|call| now.since(**call) < Duration::from_secs(1));
        u32::try_from(counted.count()).unwrap()
    }
}

/// Returns the moment this many seconds after the start. The boot clock does not start at zero, as on a real machine.
fn at(second: u64) -> BootInstant {
    BootInstant::from_boot(Duration::from_secs(100_000 + second))
}

/// Creates a unique token.
fn grant(now: BootInstant) -> Grant {
    Grant {
        lifetime: Some(LIFETIME),
        stated: true,
        ..Grant::of(AccessToken::parse(&format!("{:?}", now.since_boot().as_nanos())).unwrap())
    }
}

/// Plots both fleets from the issuer's side, one above the other.
fn plot(calm: &Run, outage: &Run) {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/benches/fleet.svg");
    let root = SVGBackend::new(path, (900, 520)).into_drawing_area();
    root.fill(&WHITE).unwrap();
    let (above, below) = root.split_vertically(260);
    for (area, run, title) in [
        (
            above,
            calm,
            "10,000 daemons started in one second: calls in 10 s",
        ),
        (below, outage, "the same with an outage of 30 minutes"),
    ] {
        let top = f64::from(*run.calls.iter().max().unwrap()) * 1.05;
        let mut chart = ChartBuilder::on(&area)
            .caption(title, ("sans-serif", 16))
            .margin(12)
            .x_label_area_size(24)
            .y_label_area_size(48)
            .build_cartesian_2d(0.0..END as f64 / HOUR as f64, 0.0..top)
            .unwrap();
        let mut mesh = chart.configure_mesh();
        mesh.x_label_formatter(&|hour| format!("{hour:.0} h"))
            .light_line_style(TRANSPARENT)
            .draw()
            .unwrap();
        let hour = |second: usize| second as f64 / HOUR as f64;
        if !run.outage.is_empty() {
            let shade = [(hour(run.outage.start), 0.0), (hour(run.outage.end), top)];
            chart
                .draw_series([Rectangle::new(shade, RED.mix(0.12).filled())])
                .unwrap();
        }
        let points = run
            .calls
            .iter()
            .enumerate()
            .map(|(step, calls)| (hour(step * STEP), f64::from(*calls)));
        chart.draw_series(LineSeries::new(points, &BLUE)).unwrap();
    }
    root.present().unwrap();
    println!("plotted: benches/fleet.svg");
}
