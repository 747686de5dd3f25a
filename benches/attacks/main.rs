//! The daemon under attack: other users of the machine attack it while honest clients request tokens.
//!
//! Each attack (`attacks`) is made by separate users (`users`, `party`, `hold`), in turns on the daemon and on a bare
//! hyper server (`twin`) (`round`). Both servers are programs in a hermetic place (`place`). The honest clients
//! (`honest`) run as the daemon's user and as another user whom a rule names. After that, the daemon's own issuer
//! (`issuer`) attacks one profile, and requests for another profile are measured with and without that (`issuers`), and
//! while a bare client is attacked instead (`control`).
//!
//! A failed request fails the run, and so do memory above its limit and a refused reload by root. The times are goals,
//! compared as ratios, and only printed; with `JETON_BENCH_STRICT=1` they count as well. A single run says little about
//! them: `JETON_ATTACK_RUNS=5` uses the medians of five runs, and `JETON_ATTACK_SECONDS` sets the duration of each.
//! Arguments select the attacks whose names contain one of them. Only root can act as several users.
#![expect(
    clippy::unwrap_used,
    clippy::print_stdout,
    clippy::indexing_slicing,
    clippy::disallowed_methods,
    reason = "a program for developers: it stops at the first surprise, and it is a stopwatch"
)]

mod attack;
mod attacks;
mod control;
mod hold;
mod honest;
mod issuer;
mod issuers;
mod party;
mod place;
mod report;
mod round;
mod twin;
mod users;

use std::path::Path;
use std::process::ExitCode;
use std::time::Duration;

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

use round::Extent;

/// The length of the twin's replies to honest clients, about that of a token of the sandbox.
const ANSWER: usize = 1_000;

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    raise_descriptor_limit();
    let words: Vec<_> = arguments.iter().map(String::as_str).collect();
    match words[..] {
        ["twin", socket, length] => twin::serve(Path::new(socket), length.parse().unwrap()),
        ["issuer", life] => {
            issuer::serve(Duration::from_secs(life.parse().unwrap()));
            return ExitCode::SUCCESS;
        }
        ["control", url] => {
            control::run(url);
            return ExitCode::SUCCESS;
        }
        _ => {}
    }
    if !rustix::process::geteuid().is_root() {
        println!("IGNORED: attacks: only root can be several users");
        return ExitCode::SUCCESS;
    }
    let names: Vec<_> = arguments
        .iter()
        .filter(|name| !name.starts_with('-'))
        .collect();
    let is_wanted = |name: &str| names.is_empty() || names.iter().any(|n| name.contains(*n));
    let extent = Extent {
        runs: number("JETON_ATTACK_RUNS", 1.0) as usize,
        time: Duration::from_secs_f64(number("JETON_ATTACK_SECONDS", 0.8)),
    };
    let (mut holds, mut in_time) = (true, true);
    let mut add = |(counts, times)| {
        holds &= counts;
        in_time &= times;
    };
    for attack in attacks::ALL {
        if is_wanted(attack.name) {
            let mut place = place::BenchEnv::new(Duration::from_secs(3_600));
            add(round::attack(&mut place, attack, extent, ANSWER).print());
        }
    }
    add(issuers::measure(extent, is_wanted));
    let is_strict = std::env::var_os("JETON_BENCH_STRICT").is_some_and(|value| value == "1");
    if holds && (in_time || !is_strict) {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    }
}

fn number(variable: &str, default: f64) -> f64 {
    std::env::var(variable).map_or(default, |text| text.parse().unwrap())
}

/// Raises the limit of descriptors: thousands of connections end in this process.
fn raise_descriptor_limit() {
    let limit = getrlimit(Resource::Nofile);
    let raised = Rlimit {
        current: limit.maximum,
        ..limit
    };
    setrlimit(Resource::Nofile, raised).unwrap();
}
