//! Mutated requests: companion frames and raw HTTP requests that no client sends, to a real daemon at TRACE. The daemon
//! must not end, answer late or grow, and no secret may be in its output.
//!
//! `JETON_MUTATIONS` sets how many of each kind are sent (default 1,000; after 20,000 the next daemon is started).
//! `JETON_MUTATION_SEED` repeats a run, and `JETON_MUTATION_ONLY` one mutant of it.

mod answer;
mod canary;
mod delivery;
mod dice;
mod frames;
mod parsers;
mod requests;
mod wait;

use std::collections::{BTreeMap, HashSet};
use std::io::Write as _;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use canary::CALLERS_SECRET;
use delivery::{Delivery, Received};
use dice::RandomChoices;
use frames::{EMPTY, RESEARCH};

use crate::support::TestEnv;
use crate::support::daemon::Daemon;

/// The maximum number of each kind for one daemon.
const PER_DAEMON: u64 = 20_000;

/// The number of mutants sent at the same time.
const AT_ONCE: u64 = 192;

/// How much later than the requested wait an answer may come.
const LATE: Duration = Duration::from_secs(1);

/// How many late answers are repeated.
const REPEATED: usize = 5;

/// How much a daemon's private memory may grow after the first mutants, in KiB.
const GROWTH: u64 = 4 * 1024;

/// The kind of input to mutate.
enum Kind {
    Frames(frames::Frames),
    Requests,
}

/// A mutated request, ready to be sent.
struct Mutant {
    number: u64,
    bytes: Vec<u8>,
    delivery: Delivery,
    /// The time limit for the answer: the requested wait plus [`LATE`].
    allowed: Duration,
    /// Whether the frame states that the companion has a terminal.
    has_terminal: bool,
    dice: RandomChoices,
}

/// One run.
struct Run {
    kind: Arc<Kind>,
    seed: u64,
    daemon: Daemon,
}

/// The observations of a run.
#[derive(Default)]
struct RunReport {
    faults: Vec<String>,
    late: Vec<(u64, String)>,
    parts: HashSet<(Vec<u8>, bool)>,
    /// How often each status and exit code was received, and how often there was no answer.
    outcomes: BTreeMap<String, u64>,
    /// The longest time that an answer took beyond the requested wait, and the mutant's number.
    latest: (Duration, u64),
}

#[test]
fn mutated_frames_do_not_crash_delay_or_grow_the_daemon() {
    mutate("frames", || Kind::Frames(frames::Frames::read()));
}

#[test]
fn mutated_frames_of_tools_do_not_crash_delay_or_grow_the_daemon() {
    mutate("frames of tools", || {
        Kind::Frames(frames::Frames::of_tools(|_| true))
    });
}

#[test]
fn mutated_requests_do_not_crash_delay_or_grow_the_daemon() {
    mutate("requests", || Kind::Requests);
}

fn number(name: &str) -> Option<u64> {
    std::env::var(name).ok().map(|text| text.parse().unwrap())
}

/// Returns the number of mutants.
fn count() -> u64 {
    number("JETON_MUTATIONS").unwrap_or(1_000)
}

fn seed() -> u64 {
    number("JETON_MUTATION_SEED").unwrap_or_else(|| fastrand::u64(..1 << 32))
}

fn mutate(what: &str, kind: impl Fn() -> Kind) {
    let (all, seed) = (count(), seed());
    let only = number("JETON_MUTATION_ONLY");
    let mut next = 0;
    while next < all {
        let numbers = match only {
            Some(only) => only..only + 1,
            None => next..all.min(next + PER_DAEMON),
        };
        next = if only.is_some() { all } else { numbers.end };
        let to_repeat = format!("JETON_MUTATION_SEED={seed} JETON_MUTATIONS={all}");
        let of = format!("{what} {numbers:?} by {to_repeat}");
        batch(kind(), seed, numbers, &of);
    }
}

/// Sends these mutants to a new daemon.
fn batch(kind: Kind, seed: u64, numbers: std::ops::Range<u64>, of: &str) {
    let kind = Arc::new(kind);
    let (env, mut run) = start(&kind, seed);
    // The first quarter fills what the daemon keeps: buffers, tasks, names known to the log.
    let warm = numbers.start + (numbers.end - numbers.start) / 4;
    let mut seen = run.send(numbers.start..warm);
    let before = run.memory();
    seen.add(run.send(warm..numbers.end));
    let after = run.memory();
    for (number, what) in seen.late.iter().take(REPEATED) {
        // On a busy machine, answers are late. If a request makes the daemon late, it does so again, and in a fresh
        // daemon too. This daemon may refuse the request by now.
        let is_late = || {
            let (env, mut run) = start(&kind, seed);
            let late = run.send(*number..*number + 1).late;
            env.stop(&mut run.daemon);
            !late.is_empty()
        };
        if is_late() && is_late() {
            seen.faults.push(format!("number {number}: late: {what}"));
        }
    }
    // Written to stderr directly, because libtest captures what tests print and every log needs the seed.
    let _ = writeln!(
        std::io::stderr(),
        "mutated {of}: the latest answer came {:?} beyond its own wait (number {}); {before} KiB of its own before, \
         {after} after; answers {:?}",
        seen.latest.0,
        seen.latest.1,
        seen.outcomes
    );
    if after > before + GROWTH {
        seen.faults
            .push(format!("it grew from {before} to {after} KiB"));
    }
    for (bytes, may_have_token) in &seen.parts {
        env.add_output("an answer to a mutant", bytes, *may_have_token);
    }
    env.stop(&mut run.daemon);
    let log = run.daemon.log();
    if log.contains("panicked") {
        seen.faults.push("it panicked".to_owned());
    }
    let faults = seen.faults.len();
    seen.faults.truncate(5);
    assert!(
        faults == 0,
        "{faults} faults of {of}; set JETON_MUTATION_ONLY for one of these: {:#?}",
        seen.faults
    );
}

/// Starts a daemon with a token for `research` and none for `empty`, whose issuer hangs.
fn start(kind: &Arc<Kind>, seed: u64) -> (TestEnv, Run) {
    let mut env = TestEnv::with_sandbox(3_600);
    env.forbid("a caller's secret", CALLERS_SECRET);
    let hangs = env.add_sandbox(jetond::sandbox::Line::V2_24, 3_600);
    env.enrol("research");
    env.enrol_at("empty", &env.sandboxes()[hangs].url());
    let mut config = std::fs::read_to_string(env.config()).unwrap();
    for (profile, url) in [("research", RESEARCH), ("empty", EMPTY)] {
        config.push_str(&format!("[[profiles.{profile}.hosts]]\nurl = \"{url}\"\n"));
    }
    std::fs::write(env.config(), config).unwrap();
    env.fault_at(hangs, "hang");
    let daemon = env.start();
    env.token(&daemon, "research");
    let kind = Arc::clone(kind);
    (env, Run { kind, seed, daemon })
}

impl Run {
    /// Sends these mutants, several at a time.
    fn send(&self, numbers: std::ops::Range<u64>) -> RunReport {
        let next = AtomicU64::new(numbers.start);
        let all = Mutex::new(RunReport::default());
        std::thread::scope(|scope| {
            for _ in 0..AT_ONCE.min(numbers.end - numbers.start) {
                scope.spawn(|| {
                    let mut seen = RunReport::default();
                    loop {
                        let number = next.fetch_add(1, Ordering::Relaxed);
                        if number >= numbers.end {
                            break;
                        }
                        seen.take(self.send_one(self.mutant(number)));
                    }
                    all.lock().unwrap().add(seen);
                });
            }
        });
        all.into_inner().unwrap()
    }

    fn mutant(&self, number: u64) -> Mutant {
        let mut dice = RandomChoices::new(self.seed, number);
        let (bytes, wait, has_terminal) = match &*self.kind {
            Kind::Frames(frames) => {
                let (frame, wait, has_terminal) = frames.mutant(&mut dice);
                let head = format!(
                    "POST /v1/helper HTTP/1.0\r\nContent-Length: {}\r\n\r\n",
                    frame.len()
                );
                ([head.as_bytes(), &frame].concat(), wait, has_terminal)
            }
            Kind::Requests => {
                let (bytes, wait) = requests::mutant(&mut dice);
                (bytes, wait, false)
            }
        };
        let delivery = Delivery::any(&mut dice);
        Mutant {
            number,
            bytes,
            delivery,
            allowed: wait + delivery.wait() + LATE,
            has_terminal,
            dice,
        }
    }

    fn send_one(&self, mut mutant: Mutant) -> (Mutant, Received) {
        let patience = mutant.allowed + Duration::from_secs(20);
        let Mutant {
            bytes,
            delivery,
            dice,
            ..
        } = &mut mutant;
        let received = delivery.send(&self.daemon.socket, bytes, patience, dice);
        (mutant, received)
    }

    /// Returns the daemon's private memory in KiB.
    fn memory(&self) -> u64 {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.daemon.child.id()));
        let status = status.expect("the daemon has ended");
        let line = status
            .lines()
            .find_map(|line| line.strip_prefix("RssAnon:"));
        line.unwrap()
            .trim()
            .trim_end_matches(" kB")
            .parse()
            .unwrap()
    }
}

impl RunReport {
    fn take(&mut self, (mutant, received): (Mutant, Received)) {
        let number = mutant.number;
        let beyond = (received.took + LATE).saturating_sub(mutant.allowed);
        self.latest = self.latest.max((beyond, number));
        if received.hangs {
            self.faults.push(format!(
                "number {number}, {:?}: no end after {:?}: {}",
                mutant.delivery,
                received.took,
                excerpts(&mutant, &received)
            ));
        } else if received.took > mutant.allowed {
            let what = format!(
                "{:?} after {:?}: {}",
                received.took,
                mutant.delivery,
                excerpts(&mutant, &received)
            );
            self.late.push((number, what));
        }
        match answer::read(&received.bytes, mutant.has_terminal) {
            Ok(answers) => {
                if answers.outcomes.is_empty() {
                    self.count("none".to_owned(), 1);
                }
                for outcome in answers.outcomes {
                    self.count(outcome, 1);
                }
                self.parts.extend(answers.parts);
            }
            Err(why) => self.faults.push(format!(
                "number {number}, {:?}: {why} after {}",
                mutant.delivery,
                excerpts(&mutant, &received)
            )),
        }
    }

    fn count(&mut self, outcome: String, times: u64) {
        *self.outcomes.entry(outcome).or_default() += times;
    }

    fn add(&mut self, other: Self) {
        for (outcome, times) in other.outcomes {
            self.count(outcome, times);
        }
        self.faults.extend(other.faults);
        self.late.extend(other.late);
        self.parts.extend(other.parts);
        self.latest = self.latest.max(other.latest);
    }
}

/// Returns the first bytes of the mutant and of the answer, as text.
fn excerpts(mutant: &Mutant, received: &Received) -> String {
    let [sent, came] = [&mutant.bytes, &received.bytes]
        .map(|bytes| String::from_utf8_lossy(&bytes[..bytes.len().min(1_000)]).into_owned());
    format!("{} bytes {sent:?}: {came:?}", mutant.bytes.len())
}
