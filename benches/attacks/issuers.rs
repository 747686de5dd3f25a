//! Measures requests for one profile while the issuer of another profile fails.

use std::time::Duration;

use jetond::sandbox::Fault;

use super::honest::{self, Met};
use super::place::Place;
use super::report::times;
use super::round::Extent;

/// The lifetime of the tokens of the profile with the faults. Without a fault it is refreshed every second.
const LIFE: Duration = Duration::from_secs(2);

/// The largest accepted ratio between the times of a request with and without the fault.
const RATIO: f64 = 1.5;

/// The faults that need TLS, or that affect requests other than those for tokens.
const OTHERS: [&str; 8] = [
    "tls:",
    "keys:",
    "reads:",
    "executed:",
    "late:",
    "again:",
    "twice:",
    "secret:",
];

/// Measures under every fault of the sandbox, each beside a run without a fault. Each run has its own daemon, so that
/// its first attempt meets the fault and does not wait for the back-off of the previous run.
pub(crate) fn measure(extent: Extent) -> (bool, bool) {
    let place = Place::new(LIFE);
    // There are many faults, and a single run of each is not a precise measurement anyway.
    let time = extent.time / if extent.runs == 1 { 4 } else { 1 };
    let (mut holds, mut in_time) = (true, true);
    for (spelling, _) in Fault::HELP {
        let Ok(fault) = Fault::parse(spelling) else {
            continue;
        };
        if OTHERS.iter().any(|other| spelling.starts_with(other)) {
            continue;
        }
        let (mut with, mut without, mut failed) = (vec![], vec![], vec![]);
        for _ in 0..extent.runs {
            for (fault, met) in [(None, &mut without), (Some(fault.clone()), &mut with)] {
                place.fault(fault);
                let mut daemon = place.daemon(false);
                met.push(honest::ask(&daemon.socket, time));
                if let Some(status) = daemon.ended() {
                    failed.push(format!("the daemon ended: {status}: {}", place.log_end()));
                }
            }
        }
        let met = || with.iter().chain(&without);
        failed.extend(met().flat_map(Met::failed).cloned());
        println!(
            "an issuer's fault, {spelling}: {} requests for another profile, {} failed",
            met().map(Met::requests).sum::<usize>(),
            failed.len()
        );
        in_time &= times(&with, &without, "without", RATIO);
        for why in failed.iter().take(5) {
            println!("  FAILED: {why}");
        }
        holds &= failed.is_empty();
    }
    (holds, in_time)
}
