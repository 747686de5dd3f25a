//! An issuer that fails one profile while requests for another one are measured.

use std::time::Duration;

use jetond::sandbox::Fault;

use super::honest::{self, Met};
use super::place::Place;
use super::report::times;
use super::round::Extent;

/// How long the tokens of the profile live that meets the faults: it makes an attempt every second, fault or none.
const LIFE: Duration = Duration::from_secs(2);

/// How long a fault is in force before anybody measures: until the next attempt has met it.
const WARM_UP: Duration = Duration::from_millis(700);

/// How much longer a request may take than without the fault.
const RATIO: f64 = 1.5;

/// Measures under every fault of the sandbox, each beside a run without one.
pub(crate) fn measure(extent: Extent) -> (bool, bool) {
    let place = Place::new(LIFE);
    let mut daemon = place.daemon(false);
    let (mut holds, mut in_time) = (true, true);
    for (spelling, _) in Fault::HELP {
        // The others need TLS, or are about other requests than an attempt.
        let Ok(fault) = Fault::parse(spelling) else {
            continue;
        };
        if spelling.starts_with("tls:") || spelling.starts_with("keys:") {
            continue;
        }
        let (mut with, mut without) = (vec![], vec![]);
        for _ in 0..extent.runs {
            place.fault(None);
            std::thread::sleep(WARM_UP);
            without.push(honest::ask(&daemon.socket, extent.time));
            place.fault(Some(fault.clone()));
            std::thread::sleep(WARM_UP);
            with.push(honest::ask(&daemon.socket, extent.time));
        }
        let failed: Vec<_> = with.iter().chain(&without).flat_map(Met::failed).collect();
        let requests: usize = with.iter().chain(&without).map(Met::requests).sum();
        println!(
            "an issuer's fault, {spelling}: {requests} requests for another profile, {} failed",
            failed.len()
        );
        in_time &= times(&with, &without, "without", RATIO);
        for why in failed.iter().take(5) {
            println!("  FAILED: {why}");
        }
        holds &= failed.is_empty();
    }
    if let Some(status) = daemon.ended() {
        println!("FAILED: the daemon ended: {status}: {}", place.log_end());
        holds = false;
    }
    (holds, in_time)
}
