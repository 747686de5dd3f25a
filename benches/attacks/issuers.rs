//! Measures requests for one profile while the issuer of another profile fails.

use std::time::Duration;

use jetond::sandbox::Fault;

use super::control::Control;
use super::honest::{self, ClientResults};
use super::issuer::Issuer;
use super::place::BenchEnv;
use super::report::beside_control;
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

/// The three loads of a fault, which take turns.
#[derive(Clone, Copy)]
enum Load {
    /// Without the fault.
    Without,
    /// The daemon meets the fault.
    Daemon,
    /// A bare client meets the fault, and the daemon does not.
    Control,
}

/// Measures under every wanted fault of the sandbox, each beside a run without the fault. Each run has its own daemon,
/// so that its first attempt meets the fault and does not wait for the back-off of the previous run.
pub(crate) fn measure(extent: Extent, is_wanted: impl Fn(&str) -> bool) -> (bool, bool) {
    let mut faults = Fault::HELP
        .into_iter()
        .map(|(spelling, _)| spelling)
        .filter(|spelling| Fault::parse(spelling).is_ok())
        .filter(|spelling| !OTHERS.iter().any(|other| spelling.starts_with(other)))
        .filter(|spelling| is_wanted(&format!("issuers: {spelling}")))
        .peekable();
    let (mut holds, mut in_time) = (true, true);
    if faults.peek().is_none() {
        return (holds, in_time);
    }
    let mut place = BenchEnv::new(LIFE);
    let mut issuer = Issuer::start(LIFE);
    // There are many faults, and a single run of each is not a precise measurement anyway.
    let time = extent.time / if extent.runs == 1 { 4 } else { 1 };
    for fault in faults {
        issuer.fault(fault);
        let (mut without, mut with, mut control) = (vec![], vec![], vec![]);
        let (mut failed, mut attempts) = (vec![], [0, 0]);
        for _ in 0..extent.runs {
            for (load, met) in [
                (Load::Without, &mut without),
                (Load::Daemon, &mut with),
                (Load::Control, &mut control),
            ] {
                place.issuers[1].fault(match load {
                    Load::Daemon => fault,
                    Load::Without | Load::Control => "none",
                });
                let before = [place.issuers[1].requests(), issuer.requests()];
                let bare = matches!(load, Load::Control).then(|| Control::start(&issuer.url));
                let mut daemon = place.daemon(false);
                met.push(honest::ask(&daemon.socket, time));
                if let Some(status) = daemon.ended() {
                    failed.push(format!("the daemon ended: {status}: {}", place.log_end()));
                }
                drop((daemon, bare));
                let after = [place.issuers[1].requests(), issuer.requests()];
                match load {
                    Load::Without => {}
                    Load::Daemon => attempts[0] += after[0] - before[0],
                    Load::Control => attempts[1] += after[1] - before[1],
                }
            }
        }
        let met = || with.iter().chain(&without).chain(&control);
        failed.extend(met().flat_map(ClientResults::failed).cloned());
        println!(
            "issuers: {fault}: {} requests for another profile, {} failed; {} token requests by the daemon, {} by the \
             control",
            met().map(ClientResults::requests).sum::<usize>(),
            failed.len(),
            attempts[0],
            attempts[1]
        );
        in_time &= beside_control(&with, &without, &control, RATIO);
        for why in failed.iter().take(5) {
            println!("  FAILED: {why}");
        }
        holds &= failed.is_empty();
    }
    (holds, in_time)
}
