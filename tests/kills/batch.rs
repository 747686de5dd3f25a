//! Runs many kills, several at a time, because the programs wait most of the time.

use std::collections::BTreeMap;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Instant;

use crate::behaviour::Form;
use crate::judge::{ForbiddenOutcome, Violations, judge};
use crate::keyring::Keyring;
use crate::operation::{self, Operation};
use crate::place::KillEnv;
use crate::support;
use crate::table::{self, Cell};
use crate::tracer::{self, Disturbance, Point};

/// The selection of kills.
pub(crate) enum Choice {
    /// This many points, evenly over the cells of the table.
    Some {
        points: usize,
        seed: usize,
    },
    All,
    /// The points whose label contains this text.
    Only(String),
}

impl Choice {
    /// Returns whether a point whose label begins with `start` may be selected.
    fn may_be_of(&self, start: &str) -> bool {
        match self {
            Self::Only(text) => text.contains(start) || start.contains(text),
            Self::Some { .. } | Self::All => true,
        }
    }
}

/// A kill to try.
#[derive(Clone)]
struct Try {
    operation: usize,
    form: Form,
    point: Point,
    blow: Disturbance,
}

/// The result of a kill.
struct TryResult {
    cell: Cell,
    label: String,
    has_fired: bool,
    broken: Violations,
    said: String,
}

/// Runs the selected kills, prints the results, and returns whether all is well.
pub(crate) fn run(choice: &Choice) -> bool {
    if let Some(why) = tracer::missing() {
        support::ignored(&format!("kill points of commands: {why}"));
        return true;
    }
    let start = Instant::now();
    let threads = 3 * std::thread::available_parallelism().map_or(1, |n| n.get());
    let has_keyring = Keyring::is_possible();
    if !has_keyring {
        support::ignored(
            "kills of commands that use the keyring: dbus-daemon, gnome-keyring-daemon or secret-tool is missing",
        );
    }
    let forms: Vec<(usize, Form)> = operation::ALL
        .iter()
        .enumerate()
        .filter(|(_, operation)| has_keyring || !operation.uses_keyring)
        .flat_map(|(n, operation)| operation.forms.iter().map(move |form| (n, *form)))
        .filter(|(n, form)| choice.may_be_of(&label(*n, *form)))
        .collect();
    let watched: Vec<_> = at_once(threads, &forms, |(operation, form)| {
        watch(*operation, *form)
    });
    let mut faults: Vec<String> = vec![];
    let mut tries: BTreeMap<Cell, Vec<Try>> = BTreeMap::new();
    // A disk that fails, while the control plane behaves correctly.
    let mut errors: Vec<Try> = vec![];
    let mut broken: Vec<(ForbiddenOutcome, String)> = vec![];
    for (of_form, result) in forms.iter().zip(watched) {
        let label = label(of_form.0, of_form.1);
        match result {
            Err(why) => faults.push(format!("{label}: {why}")),
            Ok((points, found)) => {
                broken.extend(
                    found
                        .into_iter()
                        .map(|(bar, what)| (bar, format!("{label}, not killed: {what}"))),
                );
                if of_form.1.fault == "none" {
                    errors.extend(errors_of(*of_form, &points));
                }
                for point in points {
                    let (operation, form) = *of_form;
                    let blow = Disturbance::Kill;
                    let cell = (operation, form.behaviour, point.group());
                    let of_cell = tries.entry(cell).or_default();
                    of_cell.push(Try {
                        operation,
                        form,
                        point,
                        blow,
                    });
                }
            }
        }
    }
    let known: usize = tries.values().map(Vec::len).sum();
    for (cell, of_cell) in &tries {
        if let (Some(why), Some(point)) = (table::never(*cell), of_cell.first()) {
            let cell = table::label(*cell);
            faults.push(format!("{cell} cannot be, since {why}: {}", point.label()));
        }
    }
    if !matches!(choice, Choice::Only(_)) {
        let without = could_be_filled(has_keyring).filter(|cell| !tries.contains_key(cell));
        faults.extend(without.map(|cell| {
            let cell = table::label(cell);
            format!("{cell}: no command passes such a point, and nothing says why")
        }));
    }
    let every = tries.clone();
    let mut fired: BTreeMap<Cell, usize> = BTreeMap::new();
    let mut blows: BTreeMap<Disturbance, usize> = BTreeMap::new();
    let mut missed = 0;
    let mut rounds = 0;
    while rounds < 3 {
        rounds += 1;
        let mut chosen = choose(choice, &mut tries, &fired);
        if let (Choice::All, true) = (choice, rounds > 1) {
            // A kill may miss its point, since the calls of two runs differ.
            let empty = every.iter().filter(|(cell, _)| !fired.contains_key(cell));
            chosen.extend(empty.flat_map(|(_, of_cell)| of_cell.clone()));
        }
        chosen.append(&mut choose_errors(choice, &mut errors));
        if chosen.is_empty() {
            break;
        }
        for (of_try, result) in chosen.iter().zip(at_once(threads, &chosen, kill)) {
            match result {
                Err(why) => faults.push(format!("{}: {why}", of_try.label())),
                Ok(tried) => {
                    match (tried.has_fired, of_try.blow) {
                        (true, Disturbance::Kill) => *fired.entry(tried.cell).or_default() += 1,
                        (true, Disturbance::Error(_)) => {
                            *blows.entry(of_try.blow).or_default() += 1;
                        }
                        (true, Disturbance::Short(_)) => {
                            *blows.entry(Disturbance::SHORT[0]).or_default() += 1;
                        }
                        (false, _) => missed += 1,
                    }
                    if let Choice::Only(_) = choice {
                        println!(
                            "=== {}: fired {}\n{}",
                            tried.label, tried.has_fired, tried.said
                        );
                    }
                    broken.extend(
                        tried
                            .broken
                            .into_iter()
                            .map(|(bar, what)| (bar, format!("{}: {what}", tried.label))),
                    );
                }
            }
        }
    }
    println!("{}", table::text(&fired));
    broken.sort();
    for (bar, what) in &broken {
        println!("{}: {what}", bar.as_str());
    }
    for fault in &faults {
        println!("the harness: {fault}");
    }
    let empty: Vec<Cell> = could_be_filled(has_keyring)
        .filter(|cell| !fired.contains_key(cell))
        .collect();
    if let Choice::All = choice {
        for cell in &empty {
            println!("empty: {}", table::label(*cell));
        }
    }
    let empty = empty.len();
    let may_be_empty = match choice {
        Choice::Some { points, .. } => *points < could_be_filled(has_keyring).count(),
        Choice::All => false,
        Choice::Only(_) => true,
    };
    let counts = ForbiddenOutcome::ALL.map(|bar| {
        let count = broken.iter().filter(|(other, _)| *other == bar).count();
        format!("{} {count}", bar.as_str())
    });
    let blows: Vec<String> = blows
        .iter()
        .map(|(blow, count)| match blow {
            Disturbance::Short(_) => format!("{count} short writes"),
            blow => format!("{count} {blow}"),
        })
        .collect();
    println!("errors of the disk: {}", blows.join(", "));
    if let Choice::Some { seed, .. } = choice {
        println!("seed {seed}");
    }
    println!(
        "{} kills of {known} known points ({missed} more did not happen), {empty} cells empty, in {:.0} s: {}",
        fired.values().sum::<usize>(),
        start.elapsed().as_secs_f64(),
        counts.join(", ")
    );
    broken.is_empty() && faults.is_empty() && (may_be_empty || empty == 0)
}

/// Returns the cells that can be filled on this machine.
fn could_be_filled(has_keyring: bool) -> impl Iterator<Item = Cell> {
    table::cells().filter(move |cell| {
        let operation = &operation::ALL[cell.0];
        table::never(*cell).is_none() && (has_keyring || !operation.uses_keyring)
    })
}

/// Returns the disk errors that a command can meet at these points.
fn errors_of((operation, form): (usize, Form), points: &[Point]) -> Vec<Try> {
    let of = |point: &Point, blow| Try {
        operation,
        form,
        point: point.clone(),
        blow,
    };
    let failing = points.iter().flat_map(|point| {
        let errors = Disturbance::errors(point.group()).iter();
        errors.map(move |blow| of(point, *blow))
    });
    let first = points.iter().find(|point| point.call == "write");
    let short = first.iter().flat_map(|point| {
        let short = Disturbance::SHORT.iter();
        short.map(move |blow| of(point, *blow))
    });
    failing.chain(short).collect()
}

/// Selects the disk errors to try: a third as many as kills.
fn choose_errors(choice: &Choice, errors: &mut Vec<Try>) -> Vec<Try> {
    let all = std::mem::take(errors);
    match choice {
        Choice::Some { points, seed } => {
            let mut all = all;
            let mut random = fastrand::Rng::with_seed(u64::try_from(*seed).unwrap());
            random.shuffle(&mut all);
            all.truncate(points / 3);
            all
        }
        Choice::All => all,
        Choice::Only(text) => all
            .into_iter()
            .filter(|one| one.label().contains(text))
            .collect(),
    }
}

/// Takes the next tries out of `tries`.
fn choose(
    choice: &Choice,
    tries: &mut BTreeMap<Cell, Vec<Try>>,
    fired: &BTreeMap<Cell, usize>,
) -> Vec<Try> {
    let Choice::Some { points, seed } = choice else {
        let all = std::mem::take(tries).into_values().flatten();
        return match choice {
            Choice::Only(text) => all.filter(|one| one.label().contains(text)).collect(),
            _ => all.collect(),
        };
    };
    // Take one from each cell in turn, at a random place in the cell, until there are enough.
    let mut missing = points.saturating_sub(fired.values().sum());
    let mut chosen = vec![];
    let mut random = fastrand::Rng::with_seed(u64::try_from(*seed).unwrap());
    let mut cells: Vec<Cell> = table::cells().collect();
    // If there are fewer points than cells, chance decides which cells stay empty.
    random.shuffle(&mut cells);
    cells.sort_by_key(|cell| fired.get(cell).copied().unwrap_or(0));
    while missing > 0 && tries.values().any(|of_cell| !of_cell.is_empty()) {
        for cell in &cells {
            let Some(of_cell) = tries.get_mut(cell).filter(|of_cell| !of_cell.is_empty()) else {
                continue;
            };
            if missing == 0 {
                break;
            }
            chosen.push(of_cell.swap_remove(random.usize(..of_cell.len())));
            missing -= 1;
        }
        random.shuffle(&mut cells);
    }
    chosen
}

impl Try {
    fn label(&self) -> String {
        let label = label(self.operation, self.form);
        match self.blow {
            Disturbance::Kill => format!("{label} {}", self.point),
            Disturbance::Error(_) => format!("{label} {} {}", self.point, self.blow),
            Disturbance::Short(_) => format!("{label} {}", self.blow),
        }
    }
}

fn label(operation: usize, form: Form) -> String {
    format!("{} [{}]", operation::ALL[operation].name, form.label())
}

/// Runs an operation without a kill and judges it, too. Returns the points at which it can be killed.
fn watch(operation: usize, form: Form) -> (Vec<Point>, Violations) {
    let operation = &operation::ALL[operation];
    let (place, arguments) = prepared(operation);
    let run = || tracer::run(&place.env, &arguments, None);
    let (output, mut points) = place.while_it_behaves(form, run);
    // Only the first process that makes its nth call is killed, so later processes are skipped.
    let mut seen = std::collections::HashSet::new();
    points.retain(|point| seen.insert((point.call.clone(), point.nth)));
    let mut broken = judge(place, operation, form, &output, false);
    if form.fault == "none" {
        broken.extend(arguments_leak(operation, form));
    }
    (points, broken)
}

/// Searches the arguments of all programs that the operation starts for secrets.
fn arguments_leak(operation: &Operation, form: Form) -> Violations {
    let (place, arguments) = prepared(operation);
    let (output, log) = tracer::arguments(&place.env, &arguments);
    assert_eq!(output.code, 0, "{output:?}");
    place
        .env
        .add_output("the arguments of programs", &log, false);
    judge(place, operation, form, &output, false)
}

fn kill(of_try: &Try) -> TryResult {
    let operation = &operation::ALL[of_try.operation];
    let form = of_try.form;
    let (place, arguments) = prepared(operation);
    let run = || tracer::run(&place.env, &arguments, Some((&of_try.point, of_try.blow)));
    let (output, killed) = place.while_it_behaves(form, run);
    let has_fired = killed.contains(&of_try.point);
    let looks_early = of_try.point.nth.is_multiple_of(2);
    TryResult {
        cell: (of_try.operation, form.behaviour, of_try.point.group()),
        label: of_try.label(),
        has_fired,
        broken: judge(place, operation, form, &output, looks_early),
        said: format!("exit {}\n{}{}", output.code, output.stdout, output.stderr),
    }
}

fn prepared(operation: &Operation) -> (KillEnv, Vec<String>) {
    let place = KillEnv::make();
    (operation.prepare)(&place);
    let arguments = (operation.arguments)(&place);
    (place, arguments)
}

/// Runs `work` for each item on this many threads. A panic becomes an error.
pub(crate) fn at_once<T: Sync, R: Send>(
    threads: usize,
    all: &[T],
    work: impl Fn(&T) -> R + Sync,
) -> Vec<Result<R, String>> {
    let next = AtomicUsize::new(0);
    let results: Mutex<Vec<Option<Result<R, String>>>> =
        Mutex::new(all.iter().map(|_| None).collect());
    std::thread::scope(|scope| {
        for _ in 0..threads {
            scope.spawn(|| {
                loop {
                    let n = next.fetch_add(1, Ordering::Relaxed);
                    let Some(one) = all.get(n) else { return };
                    let result = catch_unwind(AssertUnwindSafe(|| work(one)));
                    let result = result.map_err(|panic| {
                        let text = panic.downcast_ref::<String>().cloned();
                        let text =
                            text.or_else(|| panic.downcast_ref::<&str>().map(|s| (*s).to_owned()));
                        text.unwrap_or_default()
                    });
                    results.lock().unwrap()[n] = Some(result);
                }
            });
        }
    });
    let results = results.into_inner().unwrap();
    results.into_iter().map(Option::unwrap).collect()
}
