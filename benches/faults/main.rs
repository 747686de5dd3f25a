//! The daemon while its issuers fail in every way, in real time. 64 clients request tokens all the time. No request may
//! fail while a token with 10 s left is held, and none may take longer than its deadline.
//!
//! There is one profile for each fault of the table, with a sandbox of its own whose tokens have a lifetime of 36 s, so
//! that an hour of a usual token corresponds to 36 s. A profile meets its first fault before it has a token, then again
//! from a fresh token until some seconds after its expiry, and after that the other faults (`way`) in turn
//! (`director`). The daemon is a program. It, its sandboxes and its clients are started here and communicate over real
//! sockets (`place`, `names`, `wire`). Most requests ask for the held token, and one of 16 asks for more validity, with
//! a deadline (`client`). Every reply is compared with the daemon's promises (`promise`), and counted (`tally`).
//!
//! `JETON_FAULT_REQUESTS` sets the number of requests (default 100,000, which takes a good minute). The run always
//! continues until every fault has ended.
#![expect(
    clippy::unwrap_used,
    clippy::print_stdout,
    clippy::indexing_slicing,
    clippy::disallowed_methods,
    reason = "a program for developers: it stops at the first surprise, and it is a stopwatch"
)]

mod client;
mod director;
mod names;
mod place;
mod promise;
mod stage;
mod tally;
mod way;
mod wire;

use std::process::ExitCode;
use std::sync::Arc;
use std::time::{Duration, Instant};

use names::Names;
use place::{BenchEnv, Daemon, LIFE};
use stage::SharedState;
use tally::Tally;
use way::{DNS, FAULTS, IssuerFault};

const CLIENTS: usize = 64;

/// How much of a processor the daemon may use. More would mean a busy loop.
const BUSY: f64 = 0.25;

fn main() -> ExitCode {
    let goal = std::env::var("JETON_FAULT_REQUESTS").map_or(100_000, |n| n.parse().unwrap());
    let mut ways: Vec<&IssuerFault> = FAULTS.iter().collect();
    let names = Names::new(ways.len());
    if let Err(why) = &names {
        println!("IGNORED: a name that ceases to resolve takes a mount namespace: {why}");
        ways.retain(|way| way.fault != DNS);
    }
    let place = Arc::new(BenchEnv::new(ways.len(), names.ok()));
    for (profile, way) in ways.iter().enumerate() {
        place.start_with(profile, way);
    }
    let mut daemon = place.daemon();
    let stage = Arc::new(SharedState::new(daemon.socket.clone(), ways, goal));
    let start = Instant::now();
    let tallies = run(&stage, &place);
    if report(&stage, &tallies, start.elapsed(), &mut daemon) {
        ExitCode::SUCCESS
    } else {
        println!("the daemon's last words:\n{}", place.log_end());
        ExitCode::FAILURE
    }
}

/// Runs the directors, on the sandboxes' thread, and the clients, which have this thread to themselves.
fn run(stage: &Arc<SharedState>, place: &Arc<BenchEnv>) -> Vec<Tally> {
    let faults = stage.ways.len();
    let directors: Vec<_> = (0..faults)
        .map(|profile| place.spawn(director::direct(profile, stage.clone(), place.clone())))
        .collect();
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    runtime.block_on(async {
        let clients: Vec<_> = (0..CLIENTS)
            .map(|number| tokio::spawn(client::run(number, stage.clone())))
            .collect();
        let mut tallies = vec![Tally::default(); faults + 1];
        for running in clients.into_iter().chain(directors) {
            tally::add(&mut tallies, running.await.unwrap());
        }
        tallies
    })
}

/// Prints all counts, and returns whether the promises were kept.
fn report(stage: &SharedState, tallies: &[Tally], lasted: Duration, daemon: &mut Daemon) -> bool {
    tally::print(&stage.ways, tallies);
    let all = tally::total(tallies);
    let [p50, p99] = all.p50_p99();
    println!(
        "{} requests of {CLIENTS} clients under {} faults in {:.0} s, tokens of {} s: p50 {p50} µs, p99 {p99} µs",
        all.requests,
        stage.ways.len(),
        lasted.as_secs_f64(),
        LIFE.as_secs()
    );
    println!(
        "{} failed while a token with 10 s or more left was held, and {} while one with less was; {} broke another promise; \
         {} waited, {} of them for more than was left, until \
         nothing was; the latest answer came {} ms after its deadline",
        all.failed,
        all.early,
        all.wrong,
        all.waited,
        all.outwaited,
        all.late.as_millis()
    );
    let notes = stage.notes();
    for note in &notes {
        println!("FAILED: {note}");
    }
    let mut holds = notes.is_empty() && all.holds();
    for (way, tally) in stage.ways.iter().zip(tallies) {
        // A run that ended early may not have come this far.
        if !tally.was_met() && notes.is_empty() {
            println!(
                "FAILED: {} was not met while a token was held, or not until its end, or nobody waited",
                way.fault
            );
            holds = false;
        }
    }
    let busy = daemon.cpu_time().as_secs_f64() / lasted.as_secs_f64();
    println!("the daemon took {:.1} % of a processor", busy * 100.0);
    holds &= busy <= BUSY;
    if let Some(status) = daemon.ended() {
        println!("FAILED: the daemon ended: {status}");
        holds = false;
    }
    holds
}
