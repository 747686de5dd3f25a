//! Kills many daemons that rotate a key, many at a time, because they wait most of the time.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use super::disk_errors::{self, DiskError};
use super::form::{Form, Span};
use super::mode::MODES;
use super::phase::Phase;
use super::table::{self, Cell};
use super::walk::{self, RotationResult, Target};
use crate::batch::{Choice, at_once};
use crate::behaviour::Behaviour;
use crate::judge::ForbiddenOutcome;
use crate::support;
use crate::tracer::{self, Group};

/// The number of points below which a run is short.
const SHORT: usize = 20;

/// A daemon to disturb.
#[derive(Clone, Copy)]
struct Try {
    mode: usize,
    form: Form,
    how: How,
}

#[derive(Clone, Copy)]
enum How {
    Kill(Target),
    Error(DiskError),
    /// The command that has requested the rotation is killed in this phase, and the daemon goes on.
    Command(Phase),
}

/// The results of the tries.
#[derive(Default)]
struct Tally {
    killed: BTreeMap<Cell, usize>,
    errors: BTreeMap<String, usize>,
    /// The killed commands, by mode and phase.
    commands: BTreeMap<(usize, Phase), usize>,
    missed: usize,
    broken: Vec<(ForbiddenOutcome, String)>,
    faults: Vec<String>,
    slowest: Duration,
}

/// Disturbs the daemons, `threads` at a time, prints the results, and returns whether all is well.
pub(crate) fn run(choice: &Choice, threads: usize) -> bool {
    if let Some(why) = tracer::missing() {
        support::ignored(&format!("kill points of rotations: {why}"));
        return true;
    }
    let start = Instant::now();
    let mut tally = Tally::default();
    let mut chosen = choose(choice);
    let mut rounds = 0;
    while !chosen.is_empty() && rounds < 4 {
        rounds += 1;
        // The longest ones begin first.
        chosen.sort_by_key(|one| std::cmp::Reverse(one.wait()));
        for (one, result) in chosen.iter().zip(at_once(threads, &chosen, disturb)) {
            tally.add(one, result, matches!(choice, Choice::Only(_)));
        }
        chosen = match choice {
            // A call of one run may be missing in the next one.
            Choice::All => every().into_iter().filter(|one| tally.lacks(one)).collect(),
            Choice::Some { .. } | Choice::Only(_) => vec![],
        };
    }
    tally.print(choice, start.elapsed())
}

/// Returns all possible tries.
fn every() -> Vec<Try> {
    let mut all = vec![];
    for (mode, of_mode) in MODES.iter().enumerate() {
        for form in of_mode.forms {
            for target in targets(mode, *form) {
                let how = How::Kill(target);
                let form = *form;
                all.push(Try { mode, form, how });
            }
        }
        // A disk that fails, while the control plane behaves correctly.
        let form = of_mode.forms[0];
        let errors = DiskError::all(of_mode).into_iter().map(How::Error);
        all.extend(errors.map(|how| Try { mode, form, how }));
        // A lost answer makes the phases long enough to kill the command in them.
        let is_lost = |form: &&Form| {
            let is_of_change = matches!(form.span, Span::Creation | Span::Regeneration);
            is_of_change && form.behaviour == Behaviour::Swallows && !form.has_dying_tokens
        };
        let form = *of_mode.forms.iter().find(is_lost).unwrap();
        let commands = of_mode
            .long_phases
            .iter()
            .filter(|phase| has_command(**phase));
        all.extend(commands.map(|phase| Try {
            mode,
            form,
            how: How::Command(*phase),
        }));
    }
    all
}

/// Returns whether a rotation has begun in this phase, and its command still runs.
fn has_command(phase: Phase) -> bool {
    !matches!(phase, Phase::Checking | Phase::Grace | Phase::Deleting)
}

/// Returns the calls of a rotation while the control plane has this behaviour.
fn targets(mode: usize, form: Form) -> Vec<Target> {
    let mut targets = vec![];
    let phases = MODES[mode].phases.iter().copied();
    for phase in phases.filter(|phase| form.has(*phase)) {
        for group in Group::ALL {
            if table::never((mode, phase, form.behaviour, group)).is_some() {
                continue;
            }
            let most = match (phase, group) {
                (Phase::Grace, Group::Connect | Group::Send | Group::Receive) => 6,
                (_, Group::Connect | Group::Send | Group::Receive) => 3,
                (Phase::Grace, Group::Sync) => 4,
                (_, Group::Sync) => 2,
                (Phase::Grace, _) => 3,
                _ => 1,
            };
            targets.extend((1..=most).map(|nth| Target { phase, group, nth }));
        }
    }
    targets
}

/// Selects the tries: one for each cell in turn, a disk error for every third kill, and a killed command for every
/// sixth.
fn choose(choice: &Choice) -> Vec<Try> {
    let all = every();
    let (points, seed) = match choice {
        Choice::All => return all,
        Choice::Only(text) => {
            let is_meant = |one: &Try| one.label().contains(text.as_str());
            return all.into_iter().filter(is_meant).collect();
        }
        Choice::Some { points, seed } => (*points, *seed),
    };
    let mut random = fastrand::Rng::with_seed(u64::try_from(seed).unwrap());
    let mut cells: BTreeMap<Cell, Vec<Try>> = BTreeMap::new();
    let (mut errors, mut commands) = (vec![], vec![]);
    // A short run must not wait for the longest rotations.
    let is_short = points < SHORT;
    for one in all.into_iter().filter(|one| !is_short || !one.is_slow()) {
        match (one.cell(), one.how) {
            (Some(cell), _) => cells.entry(cell).or_default().push(one),
            (None, How::Command(_)) => commands.push(one),
            (None, _) => errors.push(one),
        }
    }
    let mut cells: Vec<Vec<Try>> = cells.into_values().collect();
    random.shuffle(&mut cells);
    let kills = cells
        .iter()
        .cycle()
        .map(|of_cell| of_cell[random.usize(..of_cell.len())]);
    let mut chosen: Vec<Try> = kills.take(points).collect();
    random.shuffle(&mut errors);
    chosen.extend(errors.iter().cycle().take(points / 3));
    random.shuffle(&mut commands);
    chosen.extend(commands.iter().cycle().take(points / 6));
    chosen
}

fn disturb(one: &Try) -> RotationResult {
    match one.how {
        How::Kill(target) => walk::kill(&MODES[one.mode], one.form, target),
        How::Error(error) => disk_errors::walk(&MODES[one.mode], one.form, error),
        How::Command(phase) => walk::kill_command(&MODES[one.mode], one.form, phase),
    }
}

// === impl Try ===

impl Try {
    fn label(&self) -> String {
        let (mode, form) = (MODES[self.mode].name, self.form.label());
        match self.how {
            How::Kill(Target { phase, group, nth }) => {
                let (phase, group) = (phase.as_str(), group.short());
                format!("{mode} [{form}] killed at {phase}:{group}:{nth}")
            }
            How::Error(error) => format!("{mode} [{form}] {error}"),
            How::Command(phase) => {
                format!("{mode} [{form}] command killed at {}", phase.as_str())
            }
        }
    }

    fn cell(&self) -> Option<Cell> {
        match self.how {
            How::Kill(Target { phase, group, .. }) => {
                Some((self.mode, phase, self.form.behaviour, group))
            }
            How::Error(_) | How::Command(_) => None,
        }
    }

    /// Returns whether it waits for more than one minute.
    fn is_slow(&self) -> bool {
        let is_second_wait = match self.how {
            How::Kill(target) => {
                self.form.fault != "none" && matches!(target.phase, Phase::Renewed | Phase::Settled)
            }
            How::Error(_) | How::Command(_) => false,
        };
        self.form.is_slow() || is_second_wait
    }

    /// Returns the phase that determines how long it takes.
    fn wait(&self) -> Phase {
        match self.how {
            How::Kill(target) => target.phase,
            How::Error(error) => error.phase(),
            How::Command(phase) => phase,
        }
    }
}

// === impl Tally ===

impl Tally {
    fn add(&mut self, one: &Try, result: Result<RotationResult, String>, is_told: bool) {
        let walked = match result {
            Ok(walked) => walked,
            Err(why) => return self.faults.push(format!("{}: {why}", one.label())),
        };
        if is_told {
            let (phase, after) = (walked.disturbed.map(Phase::as_str), walked.served_after);
            println!("{}: {phase:?}, a token after {after:?}", one.label());
        }
        match (walked.disturbed, one.how) {
            (Some(phase), How::Kill(Target { group, .. })) => {
                let cell = (one.mode, phase, one.form.behaviour, group);
                *self.killed.entry(cell).or_default() += 1;
            }
            (Some(_), How::Error(error)) => {
                *self.errors.entry(error.name().to_owned()).or_default() += 1;
            }
            (Some(phase), How::Command(_)) => {
                *self.commands.entry((one.mode, phase)).or_default() += 1;
            }
            (None, _) => self.missed += 1,
        }
        self.slowest = self.slowest.max(walked.served_after);
        let label = one.label();
        let broken = walked.broken.into_iter();
        self.broken
            .extend(broken.map(|(bar, what)| (bar, format!("{label}: {what}"))));
    }

    fn lacks(&self, one: &Try) -> bool {
        one.cell()
            .is_some_and(|cell| !self.killed.contains_key(&cell))
    }

    fn print(mut self, choice: &Choice, took: Duration) -> bool {
        println!("{}", table::text(&self.killed));
        self.broken.sort();
        for (bar, what) in &self.broken {
            println!("{}: {what}", bar.as_str());
        }
        for fault in &self.faults {
            println!("the harness: {fault}");
        }
        let possible = || table::cells().filter(|cell| table::never(*cell).is_none());
        let empty: Vec<Cell> = possible()
            .filter(|cell| !self.killed.contains_key(cell))
            .collect();
        if let Choice::All = choice {
            for cell in &empty {
                println!("empty: {}", table::label(*cell));
            }
        }
        let may_be_empty = match choice {
            // Some of the points miss their call.
            Choice::Some { points, .. } => *points < 2 * possible().count(),
            Choice::All => false,
            Choice::Only(_) => true,
        };
        let counts = ForbiddenOutcome::ALL.map(|bar| {
            let count = self
                .broken
                .iter()
                .filter(|(other, _)| *other == bar)
                .count();
            format!("{} {count}", bar.as_str())
        });
        let errors: Vec<String> = self
            .errors
            .iter()
            .map(|(name, count)| format!("{count} {name}"))
            .collect();
        println!("errors of the disk: {}", errors.join(", "));
        let commands: Vec<String> = self
            .commands
            .iter()
            .map(|((mode, phase), count)| {
                format!("{count} of {} at {}", MODES[*mode].name, phase.as_str())
            })
            .collect();
        println!("commands killed: {}", commands.join(", "));
        if let Choice::Some { seed, .. } = choice {
            println!("seed {seed}");
        }
        println!(
            "{} kills of rotations ({} tries missed), {} cells empty, the slowest first token after {:.2} s, in {:.0} s: {}",
            self.killed.values().sum::<usize>(),
            self.missed,
            empty.len(),
            self.slowest.as_secs_f64(),
            took.as_secs_f64(),
            counts.join(", ")
        );
        self.broken.is_empty() && self.faults.is_empty() && (may_be_empty || empty.is_empty())
    }
}
