//! Disk errors while a daemon writes the record and the journal of a rotation.
//!
//! The rotation must continue when the disk works again, and the daemon must serve tokens meanwhile.

use std::fmt;
use std::fs::{self, File};
use std::io::Read as _;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use jetond::sandbox::Fault;
use rustix::process::{Pid, Signal, kill_process};
use tempfile::TempDir;

use super::form::Form;
use super::mode::Mode;
use super::phase::Phase;
use super::turns::CpuPermit;
use super::walk::{END, RequestedRotation, RotationResult, served};
use crate::place::KillEnv;
use crate::support::TestEnv;

/// How long a full disk stays full: longer than the rotation waits before its next try.
const FULL: Duration = Duration::from_secs(5);

/// The time between two checks of the disk.
const LOOK: Duration = Duration::from_millis(20);

/// A disk error.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct DiskError {
    /// The first phase with the error.
    phase: Phase,
    kind: Kind,
    /// The number of calls that fail.
    times: usize,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    /// This call fails in this folder of the state, with this error.
    Fails(&'static str, &'static str, &'static str),
    /// No file can exceed this many bytes: a longer write is short, and the next one fails.
    Short(u64),
}

/// The calls that fail, each with its errors. The sync of a file cannot be restricted to a folder. `write` is missing:
/// strace could not tell the state from the event loop's own descriptors, so only the limit of a file's size breaks it.
const FAILING: [(&str, &[&str]); 3] = [
    ("openat", &["ENOSPC", "EROFS", "EIO"]),
    ("fsync", &["EIO", "ENOSPC"]),
    ("renameat", &["EROFS", "EIO", "ENOSPC"]),
];

/// File sizes within the journal and within the record.
const SHORT: [u64; 3] = [0, 100, 500];

// === impl DiskError ===

impl DiskError {
    /// Returns all disk errors of rotations of this mode.
    pub(super) fn all(mode: &'static Mode) -> Vec<Self> {
        let mut all = vec![];
        for phase in mode.long_phases.iter().copied() {
            for (call, errors) in FAILING {
                for error in errors {
                    let folders: &'static [&'static str] = match call {
                        "fsync" => &[""],
                        _ => mode.folders,
                    };
                    for folder in folders {
                        for times in [1, 3] {
                            let kind = Kind::Fails(call, folder, error);
                            all.push(Self { phase, kind, times });
                        }
                    }
                }
            }
            let short = SHORT.map(|bytes| Self {
                phase,
                kind: Kind::Short(bytes),
                times: 1,
            });
            all.extend(short);
        }
        all
    }

    pub(super) const fn phase(&self) -> Phase {
        self.phase
    }

    /// Returns the error's name.
    pub(super) const fn name(&self) -> &'static str {
        match self.kind {
            Kind::Fails(_, _, error) => error,
            Kind::Short(_) => "short writes",
        }
    }
}

impl fmt::Display for DiskError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (phase, times) = (self.phase.as_str(), self.times);
        match self.kind {
            Kind::Fails(call, folder, error) => {
                write!(f, "{error} at {phase} of {call} {folder}, {times} times")
            }
            Kind::Short(bytes) => write!(f, "short after {bytes} at {phase}"),
        }
    }
}

/// Breaks the disk for a while, and judges the result.
pub(super) fn walk(mode: &'static Mode, form: Form, error: DiskError) -> RotationResult {
    let turn = CpuPermit::take();
    let mut place = KillEnv::with_life(mode.life);
    let mut former = place.replace_daemon();
    place.env.stop(&mut former);
    place.daemon = place.env.start_command(without_end_by_limit(&place.env));
    place.wait_for_token();
    slow(&place, error.phase);
    let mut broken_disk = (error.phase == Phase::Checking).then(|| BrokenDisk::new(&place, error));
    let mut asked = RequestedRotation::new(place, mode, form.without_fault());
    drop(turn);
    let (start, mut disturbed, mut broken) = (Instant::now(), None, vec![]);
    let mut looks = 0_u32;
    loop {
        assert!(start.elapsed() < END, "the rotation does not end");
        let phase = asked.phase();
        if broken_disk.is_none() && disturbed.is_none() && phase == error.phase {
            broken_disk = Some(BrokenDisk::new(&asked.place, error));
        }
        let has_failed = broken_disk
            .as_mut()
            .is_some_and(|disk| disk.has_failed(&asked.place));
        if has_failed {
            broken_disk = None;
            disturbed = Some(error.phase);
            asked.place.env.fault("none");
        }
        if asked.is_over(phase) {
            // The rotation may end at its first error.
            let has_met = broken_disk
                .as_mut()
                .is_some_and(|it| it.errors(&asked.place) > 0);
            disturbed = disturbed.or(has_met.then_some(error.phase));
            break;
        }
        looks += 1;
        if looks.is_multiple_of(50) {
            broken.extend(served(&asked.place));
        }
        std::thread::sleep(LOOK);
    }
    drop(broken_disk);
    let mut daemon = asked.place.replace_daemon();
    asked.place.env.stop(&mut daemon);
    let mut walked = asked.ended(disturbed, 1);
    walked.broken.extend(broken);
    walked
}

/// Prolongs the phase, so that the disk can be broken in it.
fn slow(place: &KillEnv, phase: Phase) {
    let fault = match phase {
        Phase::Creating | Phase::Regenerating => "keys:slow:1.5",
        Phase::Proving | Phase::Renewed => "slow:1.5",
        _ => return,
    };
    let sandbox = place.env.sandbox();
    let fault = Fault::parse(fault).unwrap();
    place.env.block_on(sandbox.set_fault(Some(fault))).unwrap();
}

/// Returns a daemon for which a write to a file that is too long fails instead of killing it. Its log is a pipe,
/// which has no length.
fn without_end_by_limit(env: &TestEnv) -> Command {
    let mut command = env.command("bash");
    command.args([
        "-c",
        r#"trap "" XFSZ; exec "$@" > >(exec cat) 2>&1"#,
        "bash",
    ]);
    command.args([env!("CARGO_BIN_EXE_jetond"), "run"]);
    command
}

/// A disk that fails until this is dropped.
struct BrokenDisk {
    error: DiskError,
    since: Instant,
    daemon: u32,
    tracer: Option<(Child, TempDir)>,
}

impl BrokenDisk {
    fn new(place: &KillEnv, error: DiskError) -> Self {
        let daemon = place.daemon.child.id();
        let tracer = match error.kind {
            Kind::Short(bytes) => {
                limit(daemon, &bytes.to_string());
                None
            }
            Kind::Fails(call, folder, error) => {
                let log = TempDir::new().unwrap();
                let path = place.env.path("state/jeton").join(folder);
                Some((
                    attach(&place.env, daemon, call, &path, error, log.path()),
                    log,
                ))
            }
        };
        Self {
            error,
            since: Instant::now(),
            daemon,
            tracer,
        }
    }

    /// Returns whether it has failed as often as it should.
    fn has_failed(&mut self, place: &KillEnv) -> bool {
        let is_long_enough = self.tracer.is_some() || self.since.elapsed() >= FULL;
        is_long_enough && self.errors(place) >= self.error.times
    }

    /// Returns how often it has failed, as far as known.
    fn errors(&mut self, place: &KillEnv) -> usize {
        match &mut self.tracer {
            Some((tracer, log)) => {
                assert!(tracer.try_wait().unwrap().is_none(), "strace has ended");
                let mut text = String::new();
                let log = File::open(log.path().join("calls"));
                let read = log.map(|mut log| log.read_to_string(&mut text));
                drop(read);
                text.matches("(INJECTED)").count()
            }
            None => {
                let said = fs::read_to_string(&place.daemon.output).unwrap();
                usize::from(SAID.iter().any(|words| said.contains(words)))
            }
        }
    }
}

/// What a daemon's log says of a write that failed.
const SAID: [&str; 4] = [
    "the journal of the rotation cannot be",
    "the record is not changed",
    "the record may be changed",
    "the store keeps nothing for the rotation",
];

impl Drop for BrokenDisk {
    fn drop(&mut self) {
        match &mut self.tracer {
            Some((tracer, _)) => {
                // strace detaches from the daemon.
                let pid = Pid::from_raw(i32::try_from(tracer.id()).unwrap()).unwrap();
                let _ = kill_process(pid, Signal::TERM);
                let _ = tracer.wait();
            }
            None => limit(self.daemon, "unlimited"),
        }
    }
}

/// Limits the size of the daemon's files.
fn limit(daemon: u32, bytes: &str) {
    let limit = Command::new("prlimit")
        .arg(format!("--pid={daemon}"))
        .arg(format!("--fsize={bytes}:"))
        .status();
    // The daemon may have ended.
    drop(limit);
}

/// Makes a call of the daemon fail in a folder.
fn attach(env: &TestEnv, daemon: u32, call: &str, at: &Path, error: &str, log: &Path) -> Child {
    let calls = match call {
        "renameat" => "renameat,renameat2,rename",
        call => call,
    };
    let mut command = env.command("strace");
    command.args(["-f", "-q", "-s", "0", "-p", &daemon.to_string()]);
    command.args(["-e", &format!("trace={calls}")]);
    command.args(["-e", &format!("inject={calls}:error={error}")]);
    if !at.ends_with("jeton") {
        command.arg("-P").arg(at);
    }
    command.arg("-o").arg(log.join("calls"));
    command
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null());
    command.spawn().unwrap()
}
