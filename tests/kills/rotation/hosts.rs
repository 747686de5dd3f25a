//! Two hosts with one home: two daemons on one folder, with different boot IDs and host names.
//!
//! Each runs in its own mount namespace. Their locks are shared, or separate as on some network file systems.

use std::fs::{self, DirBuilder};
use std::os::unix::fs::DirBuilderExt as _;
use std::path::PathBuf;
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use rustix::process::Signal;

use super::mode::FIRST;
use super::mode::MODES;
use super::phase::{self, Phase};
use super::turns::CpuPermit;
use super::walk::{END, in_background, judge_end, last_lines};
use crate::batch::at_once;
use crate::judge::{ForbiddenOutcome, Violations, end_of};
use crate::place::{KillEnv, PROFILE};
use crate::support::daemon::Daemon;
use crate::support::env::Output;
use crate::support::http::Response;
use crate::support::{mounts, users};
use crate::words::tail;

/// The timeout of a round with two hosts on a busy machine.
const PATIENCE: Duration = END;

/// One round.
#[derive(Debug, Clone, Copy)]
struct Round {
    story: RoundCourse,
    /// Whether each host has its own locks.
    are_locks_apart: bool,
}

/// The course of a round.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum RoundCourse {
    /// Both hosts get a request for a rotation at the same time.
    AtOnce,
    /// The second host gets a request while the first one rotates.
    Second,
    /// The first host is killed in this phase. The second one must not touch the rotation until it is asked to take
    /// it over.
    Killed(Phase),
    /// The second host takes the rotation over although the first one still drives it: a mistake of the user.
    Stolen(Phase),
}

const STORIES: [RoundCourse; 8] = [
    RoundCourse::AtOnce,
    RoundCourse::Killed(Phase::Grace),
    RoundCourse::Second,
    RoundCourse::Killed(Phase::Creating),
    RoundCourse::AtOnce,
    RoundCourse::Killed(Phase::Proving),
    RoundCourse::Stolen(Phase::Grace),
    RoundCourse::Killed(Phase::Deleting),
];

/// The hosts, and the folder of each one's sockets.
const HOSTS: [(&str, &str); 2] = [("host-a", "run"), ("host-b", "run-b")];

/// Tries this many rounds, `threads` at a time, prints the results, and returns whether all is well.
pub(crate) fn run(rounds: usize, threads: usize) -> bool {
    let name = "two hosts with one home";
    if !users::is_root_or_skip(name) || !mounts::can_mount_or_skip(name) {
        return true;
    }
    let start = Instant::now();
    let rounds: Vec<Round> = (0..rounds)
        .map(|n| Round {
            story: STORIES[n / 2 % STORIES.len()],
            are_locks_apart: n % 2 == 1,
        })
        .collect();
    let (mut broken, mut doubled) = (0, 0);
    for (round, result) in rounds.iter().zip(at_once(threads, &rounds, play)) {
        match result {
            Ok((is_double, found)) => {
                doubled += usize::from(is_double);
                broken += found.len();
                for (bar, what) in found {
                    println!("{round:?}: {}: {what}", bar.as_str());
                }
            }
            Err(why) => {
                broken += 1;
                println!("{round:?}: the harness: {why}");
            }
        }
    }
    println!(
        "{} rounds of two hosts in {:.0} s: {doubled} double rotations, {broken} faults",
        rounds.len(),
        start.elapsed().as_secs_f64()
    );
    doubled + broken == 0
}

/// Plays a round; returns whether the key was rotated twice, and what is wrong.
fn play(round: &Round) -> (bool, Violations) {
    let turn = CpuPermit::take();
    let mut hosts = Hosts::new(*round);
    let mut broken = vec![];
    let first = hosts.ask(0, &[]);
    let mut asked = vec![first];
    drop(turn);
    match round.story {
        RoundCourse::AtOnce => asked.push(hosts.ask(1, &[])),
        RoundCourse::Second => {
            hosts.wait_for(Phase::Grace);
            broken.extend(hosts.leaves_alone());
        }
        RoundCourse::Killed(phase) => {
            hosts.wait_for(phase);
            hosts.daemon(0).signal(Signal::KILL);
            hosts.daemon(0).wait();
            if !hosts.phase().is_over() {
                broken.extend(hosts.leaves_alone());
                asked.push(hosts.ask(1, &["--take-over"]));
            }
        }
        RoundCourse::Stolen(phase) => {
            hosts.wait_for(phase);
            asked.push(hosts.ask(1, &["--take-over"]));
        }
    }
    // Each request ends at the switch or with a refusal. Before that, its rotation may not have begun.
    let ends: Vec<Output> = asked
        .into_iter()
        .map(|output| output.join().unwrap())
        .collect();
    hosts.wait_for_end();
    let _turn = CpuPermit::take();
    if matches!(round.story, RoundCourse::Killed(_)) {
        hosts.place.daemon = hosts.start(0);
    }
    for output in &ends {
        for said in [&output.stdout, &output.stderr] {
            let env = &hosts.place.env;
            env.add_output("jeton rotate", said.as_bytes(), false);
        }
    }
    // In the other stories the second host only continues the first one's rotation.
    let done = ends.iter().filter(|output| output.code == 0).count();
    let is_double = round.story == RoundCourse::AtOnce && done > 1;
    // Without a shared lock, each host may block the other before a key is made.
    if round.story == RoundCourse::AtOnce && done == 0 && !round.are_locks_apart {
        let said = ends.iter().map(|end| tail(&end.stderr));
        let said: Vec<String> = said.collect();
        broken.push((ForbiddenOutcome::Late, format!("neither rotates: {said:?}")));
    }
    for (n, _) in HOSTS.iter().enumerate() {
        let answer = hosts.token(n);
        if answer.status != 200 {
            let why = last_lines(hosts.daemon(n));
            let what = format!("host {n} serves no token: {} {why}", answer.code());
            broken.push((ForbiddenOutcome::Lost, what));
        }
    }
    broken.extend(judge_end(&hosts.place));
    let Hosts {
        place, mut second, ..
    } = hosts;
    place.env.stop(&mut second);
    broken.extend(end_of(place));
    (is_double, broken)
}

fn target(of: &str) -> String {
    format!("/v1/profiles/{PROFILE}{of}")
}

/// Both hosts. The first one's daemon is that of the place.
struct Hosts {
    place: KillEnv,
    second: Daemon,
    round: Round,
}

// === impl Hosts ===

impl Hosts {
    fn new(round: Round) -> Self {
        let mut place = KillEnv::with_life(MODES[0].life);
        let mut former = place.replace_daemon();
        place.env.stop(&mut former);
        let folders = [
            "state/jeton/rotations",
            "state/jeton/rotations/locks",
            "state/jeton/locks",
            "locks-of-records",
            "locks-of-rotations",
            "run-b",
        ];
        for folder in folders {
            let made = DirBuilder::new().mode(0o700).create(place.env.path(folder));
            assert!(made.is_ok() || place.env.path(folder).is_dir(), "{made:?}");
        }
        for (n, (host, _)) in HOSTS.iter().enumerate() {
            let id = format!("{:08x}-0000-4000-8000-000000000000\n", n + 1);
            fs::write(place.env.path(host), id).unwrap();
        }
        let second = place.replace_daemon();
        let mut hosts = Self {
            place,
            second,
            round,
        };
        hosts.place.daemon = hosts.start(0);
        hosts.second = hosts.start(1);
        for (n, _) in HOSTS.iter().enumerate() {
            let status = hosts.token(n).status;
            assert_eq!(status, 200, "{}", last_lines(hosts.daemon(n)));
        }
        hosts
    }

    fn daemon(&mut self, host: usize) -> &mut Daemon {
        match host {
            0 => &mut self.place.daemon,
            _ => &mut self.second,
        }
    }

    fn run(&self, host: usize) -> PathBuf {
        self.place.env.path(HOSTS[host].1)
    }

    /// Starts a host's daemon.
    fn start(&self, host: usize) -> Daemon {
        let (env, name) = (&self.place.env, HOSTS[host].0);
        let path = |relative: &str| env.path(relative).display().to_string();
        let mut lines = format!(
            "set -e\necho {name} > /proc/sys/kernel/hostname\nmount --bind {} /proc/sys/kernel/random/boot_id\n",
            path(name)
        );
        if self.round.are_locks_apart && host == 1 {
            for (own, shared) in [
                ("locks-of-records", "state/jeton/locks"),
                ("locks-of-rotations", "state/jeton/rotations/locks"),
            ] {
                lines += &format!("mount --bind {} {}\n", path(own), path(shared));
            }
        }
        lines += "exec \"$@\"";
        let mut command = env.command("unshare");
        command.args(["--mount", "--uts", "sh", "-c", &lines, "sh"]);
        command.args([env!("CARGO_BIN_EXE_jetond"), "run"]);
        command.env("XDG_RUNTIME_DIR", self.run(host));
        let mut daemon = env.spawn_command(command);
        daemon.socket = self.run(host).join("jeton/jeton.sock");
        daemon.admin = self.run(host).join("jeton-admin/admin.sock");
        env.serving(daemon)
    }

    /// Sends a request for a rotation to a host.
    fn ask(&self, host: usize, more: &[&str]) -> JoinHandle<Output> {
        let mut command = self.place.env.command(env!("CARGO_BIN_EXE_jeton"));
        command.args(MODES[0].arguments).args(more);
        command.env("XDG_RUNTIME_DIR", self.run(host));
        in_background(command)
    }

    fn phase(&self) -> Phase {
        phase::seen(&self.place.env, FIRST).phase
    }

    /// Requests a token from a host.
    fn token(&mut self, host: usize) -> Response {
        let socket = self.daemon(host).socket.clone();
        let env = &self.place.env;
        env.request(&socket, "GET", &target("/token"), &[], b"")
    }

    /// Waits until the disk shows this phase or a later one.
    fn wait_for(&self, phase: Phase) {
        let start = Instant::now();
        while self.phase() < phase {
            assert!(start.elapsed() < PATIENCE, "it is not {}", phase.as_str());
            std::thread::sleep(Duration::from_millis(3));
        }
    }

    /// Sends a request to the second host, which must not touch the rotation of the first one.
    fn leaves_alone(&mut self) -> Option<(ForbiddenOutcome, String)> {
        let output = self.ask(1, &[]).join().unwrap();
        let is_left = output.code != 0 && output.stderr.contains("host-a");
        let is_busy = output.code != 0 && !self.round.are_locks_apart;
        (!is_left && !is_busy).then(|| {
            let what = format!(
                "the other host's rotation: {} {}",
                output.code,
                tail(&output.stderr)
            );
            (ForbiddenOutcome::FalseSuccess, what)
        })
    }

    /// Waits until neither host drives a rotation, and none is left.
    fn wait_for_end(&mut self) {
        let start = Instant::now();
        loop {
            let phase = self.phase();
            let is_idle = (0..HOSTS.len()).all(|host| self.is_idle(host));
            if phase.is_over() && is_idle {
                return;
            }
            assert!(
                start.elapsed() < PATIENCE,
                "{} does not end: {:?} {}",
                phase.as_str(),
                phase::journal(&self.place.env),
                (0..HOSTS.len())
                    .map(|host| self.state(host))
                    .collect::<String>()
            );
            std::thread::sleep(Duration::from_secs(1));
        }
    }

    /// Returns a host's statement about its rotation.
    fn state(&mut self, host: usize) -> String {
        if self.daemon(host).child.try_wait().unwrap().is_some() {
            return "ended\n".to_owned();
        }
        let socket = self.daemon(host).socket.clone();
        let state = self
            .place
            .env
            .request(&socket, "GET", &target(""), &[], b"");
        format!("{}\n", state.json()["rotation"])
    }

    /// Returns whether a host drives no rotation. A rotation that it leaves to another host is shown but not driven.
    fn is_idle(&mut self, host: usize) -> bool {
        let state = self.state(host);
        let words = ["ended\n", "null\n"];
        words.contains(&&*state) || state.contains(r#""needs_human":true"#)
    }
}
