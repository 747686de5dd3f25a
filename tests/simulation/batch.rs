//! Runs many seeds, or a single one.

use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;

use crate::checker;
use crate::coverage::Coverage;
use crate::rotations::{self, Tally};
use crate::run;

/// The number of seeds that are run twice, with results that must be equal.
const TWICE: u64 = 10;

/// The maximum number of failing seeds that are printed.
const TOLD: usize = 10;

/// Runs this many seeds from `first` on, with one thread per processor, and returns whether all is well.
pub(crate) fn many(first: u64, seeds: u64) -> bool {
    let start = Instant::now();
    let next = AtomicU64::new(first);
    let told = Mutex::new((Coverage::default(), Tally::default(), vec![], 0_usize));
    let threads = std::thread::available_parallelism().map_or(1, |n| n.get());
    std::thread::scope(|scope| {
        for _ in 0..threads {
            scope.spawn(|| {
                loop {
                    let seed = next.fetch_add(1, Ordering::Relaxed);
                    if seed - first >= seeds {
                        return;
                    }
                    let (coverage, length, mut faults) = judged(seed);
                    let (tally, more, of_rotations) = judged_rotations(seed);
                    faults.extend(of_rotations);
                    let mut told = told.lock().unwrap();
                    told.0.add(&coverage);
                    told.1.add(&tally);
                    told.3 += length + more;
                    if !faults.is_empty() {
                        told.2.push((seed, faults));
                    }
                }
            });
        }
    });
    let (coverage, tally, mut failed, length) = told.into_inner().unwrap();
    failed.sort_by_key(|(seed, _)| *seed);
    println!("{}", coverage.table());
    println!("rotations: {tally}");
    let missing = [coverage.missing(seeds), tally.missing(seeds)].concat();
    for line in &missing {
        println!("coverage: {line}");
    }
    for (seed, faults) in failed.iter().take(TOLD) {
        for fault in faults.iter().take(5) {
            println!("seed {seed}: {fault}");
        }
    }
    println!(
        "{seeds} seeds, {length} events, {} failed, in {:.1} s; 'cargo simulate --seed N' shows one",
        failed.len(),
        start.elapsed().as_secs_f64()
    );
    failed.is_empty() && missing.is_empty()
}

/// Runs one seed; returns its coverage, the length of its history, and what is wrong.
fn judged(seed: u64) -> (Coverage, usize, Vec<String>) {
    let run = run::play(seed, None);
    let mut faults = run.panics;
    let findings = checker::check(&run.history);
    faults.extend(findings.iter().map(ToString::to_string));
    let again = || run::play(seed, None).history.hash();
    if run::IS_SEEDED && seed < TWICE && run.history.hash() != again() {
        faults.push("the same seed gave two histories".to_owned());
    }
    (run.coverage, run.history.0.len(), faults)
}

/// Runs the rotations of one seed; returns the same for them.
fn judged_rotations(seed: u64) -> (Tally, usize, Vec<String>) {
    let run = rotations::play(seed, None);
    let mut faults = run.panics;
    let findings = rotations::check(&run.history);
    faults.extend(findings.iter().map(ToString::to_string));
    let again = || rotations::play(seed, None).history.hash();
    if run::IS_SEEDED && seed < TWICE && run.history.hash() != again() {
        faults.push("the same seed gave two histories of rotations".to_owned());
    }
    (run.tally, run.history.0.len(), faults)
}

/// Replays one seed, prints everything that happens, and returns whether all is well.
pub(crate) fn one(seed: u64) -> bool {
    let run = run::play(seed, None);
    print!("{}", run.history);
    println!("seed {seed}: {:016x}", run.history.hash());
    let findings = checker::check(&run.history);
    let findings = findings.iter().map(ToString::to_string);
    let mut faults: Vec<_> = run.panics.into_iter().chain(findings).collect();
    let run = rotations::play(seed, None);
    print!("{}", run.history);
    println!(
        "seed {seed}, rotations: {:016x}; {}",
        run.history.hash(),
        run.tally
    );
    let findings = rotations::check(&run.history);
    faults.extend(run.panics);
    faults.extend(findings.iter().map(ToString::to_string));
    for fault in &faults {
        println!("seed {seed}: {fault}");
    }
    faults.is_empty()
}
