//! The daemon under attack: other users of the machine do their worst, and honest clients ask for tokens all the while.
//!
//! Each attack (`attacks`) is made by users of its own (`users`, `party`, `hold`) on the daemon and on a bare hyper
//! server (`twin`) in turns (`round`), which are programs in a place of their own (`place`). The honest clients
//! (`honest`) are one of the daemon's user and one of another user whom a rule names. After that the daemon's own
//! issuer does its worst with one profile, and requests for another one are measured with and without (`issuers`).
//!
//! A request that fails fails the run, and so do memory above its bound and a reload by root that is refused. The times
//! are goals, compared in ratios, and only printed; `JETON_BENCH_STRICT=1` makes them count. What one run says of them
//! is little: `JETON_ATTACK_RUNS=5` takes the medians of five, and `JETON_ATTACK_SECONDS` says how long each lasts.
//! Arguments choose the attacks whose names contain one of them. Only root can be several users.
#![expect(
    clippy::unwrap_used,
    clippy::print_stdout,
    clippy::indexing_slicing,
    clippy::disallowed_methods,
    reason = "a program for developers: it stops at the first surprise, and it is a stopwatch"
)]

mod attack;
mod attacks;
mod hold;
mod honest;
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

/// The length of the answers that the twin gives to honest clients, about that of a token of the sandbox.
const ANSWER: usize = 1_000;

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    raise_descriptor_limit();
    if let [role, socket, length] = &arguments[..]
        && role == "twin"
    {
        twin::serve(Path::new(socket), length.parse().unwrap());
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
            let place = place::Place::new(Duration::from_secs(3_600));
            add(round::attack(&place, attack, extent, ANSWER).print());
        }
    }
    if is_wanted("issuers") {
        add(issuers::measure(extent));
    }
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

/// Thousands of connections have their ends here.
fn raise_descriptor_limit() {
    let limit = getrlimit(Resource::Nofile);
    let raised = Rlimit {
        current: limit.maximum,
        ..limit
    };
    setrlimit(Resource::Nofile, raised).unwrap();
}
