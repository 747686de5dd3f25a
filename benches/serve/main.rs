//! The daemon under load, compared with servers that answer with as many bytes from memory: a bare hyper server with the
//! same deadlines (`bare`), one on a bare epoll instance in C (`epoll.c`), and one in C that blocks (`blocking.c`).
//!
//! All are separate programs with one thread each (`place`). One client (`load`) loads them in turns, over eight kept
//! connections and with a new connection for each request, so that other load of the machine affects all. The daemon's
//! tokens have a lifetime of a few seconds, so it refreshes all the time. A failed request fails the run. The speeds are
//! goals, compared as medians of five rounds; with `JETON_BENCH_STRICT=1` they count as well. A goal beside the epoll
//! server counts where the bare hyper server reaches it.
//!
//! `JETON_BENCH_SECONDS` sets the duration of each of the three loads, all servers together (default 9).
#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::print_stdout,
    clippy::indexing_slicing,
    clippy::disallowed_methods,
    reason = "a program for developers: it stops at the first surprise, and it is a stopwatch"
)]

mod bare;
mod load;
mod place;

use std::path::Path;
use std::process::ExitCode;
use std::time::{Duration, Instant};

use load::{Client, Connections, LAST_REQUEST, PER_SECOND, REQUEST};
use place::{Place, Server};

const ROUNDS: u32 = 5;
const SLICES: u32 = 12;

/// The load of one kind of connection, and the goals: the daemon's speed as a part of another server's.
struct Load {
    title: &'static str,
    how: Connections,
    of_hyper: f64,
    of_epoll: f64,
}

const KEPT: Load = Load {
    title: "8 kept connections",
    how: Connections::Kept,
    of_hyper: 0.97,
    of_epoll: 0.80,
};

const NEW: Load = Load {
    title: "a new connection for each request, 8 at a time",
    how: Connections::New,
    of_hyper: 0.97,
    of_epoll: 0.85,
};

fn main() -> ExitCode {
    let mut arguments = std::env::args().skip(1);
    if arguments.next().as_deref() == Some("bare") {
        let socket = arguments.next().unwrap();
        let length = arguments.next().unwrap().parse().unwrap();
        bare::serve(Path::new(&socket), length);
    }
    let seconds = std::env::var("JETON_BENCH_SECONDS").map_or(9.0, |s| s.parse().unwrap());
    let time = Duration::from_secs_f64(seconds);
    let is_strict = std::env::var_os("JETON_BENCH_STRICT").is_some_and(|value| value == "1");

    let place = Place::new();
    let daemon = place.daemon();
    let idle = daemon.memory();
    let (reply, head) = daemon.ask_once(REQUEST);
    let bare = place.bare(reply.len() - head);
    let (last_reply, _) = daemon.ask_once(LAST_REQUEST);
    let epoll = place.responder("epoll", &[&reply, &last_reply]);
    let blocking = place.responder("blocking", &[&last_reply]);
    if !has_program("pizauth") {
        println!(
            "not measured: pizauth is not on the PATH; `blocking` makes its five system calls"
        );
    }

    let mut kept = vec![&daemon, &bare];
    kept.extend(&epoll);
    let mut new = kept.clone();
    new.extend(&blocking);
    let mut totals = Totals::default();
    let mut in_time = epoll.is_some();
    in_time &= closed_loop(&KEPT, &kept, time, &mut totals);
    in_time &= closed_loop(&NEW, &new, time, &mut totals);
    open_loop(&kept, time, &mut totals);

    println!("memory, KiB   anonymous   resident   highest");
    for (name, memory) in [
        ("daemon, idle", idle),
        ("daemon, after", daemon.memory()),
        ("bare, after", bare.memory()),
    ] {
        println!(
            "  {name:<13} {:>8}   {:>8}  {:>8}",
            memory[0], memory[1], memory[2]
        );
    }
    let Totals { sent, failed } = totals;
    let refreshes = place.sandbox.stats().granted;
    println!("{sent} requests, {failed} failed; {refreshes} tokens were granted meanwhile");
    if failed == 0 && refreshes > 1 && (in_time || !is_strict) {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    }
}

/// The requests of all loads.
#[derive(Default)]
struct Totals {
    sent: u64,
    failed: u64,
}

impl Totals {
    fn add(&mut self, clients: &[Client]) {
        self.sent += clients.iter().map(|client| client.sent).sum::<u64>();
        self.failed += clients.iter().map(|client| client.failed).sum::<u64>();
    }
}

/// Loads the servers, of which the first three are the daemon, bare hyper and epoll, as fast as they answer. Returns
/// whether the goals are reached.
fn closed_loop(load: &Load, servers: &[&Server], time: Duration, totals: &mut Totals) -> bool {
    let mut clients: Vec<_> = servers
        .iter()
        .map(|server| Client::new(&server.socket, load.how))
        .collect();
    let slice = time / ROUNDS / SLICES / u32::try_from(servers.len()).unwrap();
    let mut rounds: Vec<Vec<[f64; 4]>> = vec![vec![]; servers.len()];
    for _ in 0..ROUNDS {
        let mut slices: Vec<[Vec<f64>; 4]> = vec![Default::default(); servers.len()];
        for turn in 0..SLICES as usize {
            let mut measured = vec![[0.0; 2]; servers.len()];
            // Each server is the first one as often as any other.
            for n in (0..servers.len()).map(|n| (n + turn) % servers.len()) {
                let (start, cpu) = (Instant::now(), servers[n].cpu_time());
                let answers = f64::from(clients[n].as_fast_as_possible(slice));
                let speed = answers / start.elapsed().as_secs_f64();
                let cost = (servers[n].cpu_time() - cpu).as_secs_f64() * 1e6 / answers;
                measured[n] = [speed, cost];
            }
            // The ratios are of one turn, since the machine may be twice as fast a second later.
            let daemon = measured[0];
            for (slices, [speed, cost]) in slices.iter_mut().zip(measured) {
                let figures = [speed, cost, daemon[0] / speed, daemon[1] / cost];
                for (figures, figure) in slices.iter_mut().zip(figures) {
                    figures.push(figure);
                }
            }
        }
        for (round, slices) in rounds.iter_mut().zip(slices) {
            round.push(slices.map(median));
        }
    }
    totals.add(&clients);
    let figures = |n: usize| {
        [0, 1, 2, 3].map(|kind| median(rounds[n].iter().map(|round| round[kind]).collect()))
    };
    println!("closed loop, {}", load.title);
    println!(
        "             requests/s   CPU µs/request   the daemon's speed and CPU time as a part of it"
    );
    for (n, server) in servers.iter().enumerate() {
        let [speed, cost, of_speed, of_cost] = figures(n);
        println!(
            "  {:<10} {speed:>10.0}   {cost:>14.1}   {of_speed:>10.2} {of_cost:>10.2}",
            server.name
        );
    }
    let mut in_time = reaches("bare hyper", figures(1)[2], load.of_hyper);
    if servers.get(2).is_some_and(|server| server.name == "epoll") {
        // Hyper's part of epoll's speed is the daemon's part of it, as a part of the daemon's part of hyper's.
        let of_hyper = figures(2)[2] / figures(1)[2];
        if of_hyper >= load.of_epoll {
            in_time &= reaches("epoll", figures(2)[2], load.of_epoll);
        } else {
            println!(
                "  no goal beside epoll: bare hyper has {of_hyper:.2} of it, below {}",
                load.of_epoll
            );
        }
    }
    in_time
}

/// Prints whether a ratio reaches its goal.
fn reaches(other: &str, ratio: f64, goal: f64) -> bool {
    let is_reached = ratio >= goal;
    let mark = if is_reached { "reached" } else { "MISSED" };
    println!("  goal: {goal} of {other}: {mark}");
    is_reached
}

/// Loads the servers at an even rate, and prints the delays.
fn open_loop(servers: &[&Server], time: Duration, totals: &mut Totals) {
    println!("open loop, {PER_SECOND} requests/s, counted from the moment at which each was due");
    println!("                p50 µs     p99 µs   p99.9 µs     max µs");
    let mut clients: Vec<_> = servers
        .iter()
        .map(|server| Client::new(&server.socket, Connections::Kept))
        .collect();
    let slice = time / ROUNDS / SLICES / u32::try_from(servers.len()).unwrap();
    let mut times: Vec<Vec<Duration>> = vec![vec![]; servers.len()];
    for _ in 0..ROUNDS * SLICES {
        for (client, times) in clients.iter_mut().zip(&mut times) {
            client.at_a_rate(slice, times);
        }
    }
    totals.add(&clients);
    for (server, times) in servers.iter().zip(&mut times) {
        times.sort();
        let at = |per_mille: usize| times[(times.len() - 1) * per_mille / 1000].as_secs_f64() * 1e6;
        println!(
            "  {:<10} {:>10.0} {:>10.0} {:>10.0} {:>10.0}",
            server.name,
            at(500),
            at(990),
            at(999),
            at(1000)
        );
    }
}

/// Returns the median: a slice with other load on the machine counts no more than any other.
fn median(mut figures: Vec<f64>) -> f64 {
    figures.sort_by(f64::total_cmp);
    figures[figures.len() / 2]
}

/// Whether a program of this name is on the PATH.
fn has_program(name: &str) -> bool {
    let path = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&path).any(|folder| folder.join(name).is_file())
}
