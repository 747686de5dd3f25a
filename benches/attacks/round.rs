//! Runs one attack, in turns on the daemon and on its twin.

use std::time::Duration;

use super::attack::Attack;
use super::honest::{self, ClientResults};
use super::party::Tally;
use super::place::{BenchEnv, Server};
use super::report::Report;

/// How long the attackers work before the measurement, since they first open thousands of connections.
const WARM_UP: Duration = Duration::from_millis(800);

/// How often root reloads the configuration under each attack.
const RELOADS: usize = 3;

/// The number of runs, and the duration of each.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Extent {
    pub(crate) runs: usize,
    pub(crate) time: Duration,
}

/// Attacks both in turns, so that other load of the machine affects both.
pub(crate) fn attack(
    place: &mut BenchEnv,
    attack: &Attack,
    extent: Extent,
    token: usize,
) -> Report {
    let mut daemon = place.daemon(attack.long_token);
    let twin = place.twin(token);
    let mut report = Report::new(attack.name);
    for _ in 0..extent.runs {
        let (met, tally, reloads) = run(attack, &daemon, extent.time, RELOADS);
        report.attacked(met, &tally, reloads, daemon.memory("VmHWM"));
        let (met, ..) = run(attack, &twin, extent.time, 0);
        report.compared(met);
    }
    if extent.runs == 1 {
        // A repetition must not take more memory.
        let (met, tally, reloads) = run(attack, &daemon, Duration::from_millis(300), RELOADS);
        report.repeated(&met, &tally, reloads, daemon.memory("VmHWM"));
    }
    if let Some(status) = daemon.ended() {
        report.fail(format!("the daemon ended: {status}: {}", place.log_end()));
    }
    report
}

fn run(
    attack: &Attack,
    server: &Server,
    time: Duration,
    reloads: usize,
) -> (ClientResults, Tally, Vec<String>) {
    let party = (attack.start)(&server.socket);
    std::thread::sleep(WARM_UP);
    let met = honest::ask(&server.socket, time);
    let request = b"POST /v1/reload HTTP/1.1\r\nHost: localhost\r\nContent-Length: 0\r\n\r\n";
    let reloads = (0..reloads).filter_map(|_| honest::once(&server.admin, request).err());
    let reloads = reloads.map(|why| format!("a reload by root: {why}"));
    let reloads = reloads.collect();
    (met, party.end(), reloads)
}
