//! Runs a command under strace, which kills it at one system call, or lists the calls at which it could be killed.

use std::collections::HashMap;
use std::fmt;
use std::fs;
use std::path::Path;
use std::process::Command;

use crate::support::TestEnv;
use crate::support::env::Output;

/// The kind of a system call: a column of the table.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Group {
    Write,
    Rename,
    Sync,
    Connect,
    Send,
    Receive,
}

/// The calls of each group. The client of the control plane sends with `writev`.
pub(crate) const CALLS: [(Group, &[&str]); 6] = [
    (
        Group::Write,
        &[
            "write",
            "pwrite64",
            "pwritev",
            "pwritev2",
            "ftruncate",
            "mkdir",
            "mkdirat",
        ],
    ),
    (
        Group::Rename,
        &[
            "rename",
            "renameat",
            "renameat2",
            "link",
            "linkat",
            "unlink",
            "unlinkat",
        ],
    ),
    (Group::Sync, &["fsync", "fdatasync", "syncfs"]),
    (Group::Connect, &["connect"]),
    (Group::Send, &["writev", "sendto", "sendmsg", "sendmmsg"]),
    (Group::Receive, &["recvfrom", "recvmsg", "recvmmsg"]),
];

/// A call at which a command may be killed.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct Point {
    /// The thread's name.
    pub(crate) thread: String,
    pub(crate) call: String,
    /// The number of the call among that thread's calls, from 1.
    pub(crate) nth: usize,
}

// === impl Group ===

impl Group {
    pub(crate) const ALL: [Self; 6] = [
        Self::Write,
        Self::Rename,
        Self::Sync,
        Self::Connect,
        Self::Send,
        Self::Receive,
    ];

    pub(crate) const fn short(self) -> &'static str {
        match self {
            Self::Write => "wr",
            Self::Rename => "rn",
            Self::Sync => "sy",
            Self::Connect => "co",
            Self::Send => "se",
            Self::Receive => "re",
        }
    }
}

// === impl Point ===

impl Point {
    pub(crate) fn group(&self) -> Group {
        let is_in = |calls: &&(Group, &[&str])| calls.1.contains(&self.call.as_str());
        CALLS.iter().find(is_in).unwrap().0
    }
}

impl fmt::Display for Point {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {} {}", self.thread, self.call, self.nth)
    }
}

/// A disturbance of a command.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) enum Disturbance {
    /// The command is killed at a call.
    Kill,
    /// A call fails with this error.
    Error(&'static str),
    /// No file can exceed this many bytes: a longer write is short, and the next one ends the command.
    Short(u64),
}

// === impl Blow ===

impl Disturbance {
    /// Returns the disk errors that a call of this group can have.
    pub(crate) const fn errors(group: Group) -> &'static [Self] {
        match group {
            Group::Write => &[Self::Error("ENOSPC"), Self::Error("EIO")],
            Group::Rename => &[
                Self::Error("EROFS"),
                Self::Error("EIO"),
                Self::Error("ENOSPC"),
            ],
            Group::Sync => &[Self::Error("EIO"), Self::Error("ENOSPC")],
            Group::Connect | Group::Send | Group::Receive => &[],
        }
    }

    /// Short writes, which need no particular call: in a file's first bytes, within a record, and behind one.
    pub(crate) const SHORT: &'static [Self] = &[
        Self::Short(1),
        Self::Short(150),
        Self::Short(400),
        Self::Short(900),
    ];
}

impl fmt::Display for Disturbance {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Kill => f.write_str("kill"),
            Self::Error(name) => f.write_str(name),
            Self::Short(bytes) => write!(f, "short after {bytes}"),
        }
    }
}

/// Returns why processes cannot be traced here; `None` if they can.
pub(crate) fn missing() -> Option<String> {
    let run = Command::new("strace")
        .args(["-f", "-qq", "-o", "/dev/null", "true"])
        .output();
    match run {
        Ok(run) if run.status.success() => None,
        Ok(run) => Some(format!(
            "strace may not trace here: {}",
            String::from_utf8_lossy(&run.stderr).trim()
        )),
        Err(error) => Some(format!("strace cannot be run: {error}")),
    }
}

/// Runs `jetond` with these arguments to its end, or until it is killed. Returns its output, and the points that it
/// passed, or those at which it was disturbed.
pub(crate) fn run(
    env: &TestEnv,
    args: &[String],
    blow: Option<(&Point, Disturbance)>,
) -> (Output, Vec<Point>) {
    let log = env.path("out/strace");
    let calls: Vec<&str> = CALLS
        .iter()
        .flat_map(|(_, calls)| *calls)
        .copied()
        .collect();
    let mut command = env.command("strace");
    // The log must have no data, because it is searched for secrets, too.
    command.args(["-f", "-q", "-Y", "-s", "0", "-e", "abbrev=all"]);
    command.args(["-e", &format!("trace={}", calls.join(","))]);
    command.arg("-o").arg(&log);
    match blow {
        None => {}
        Some((Point { call, nth, .. }, Disturbance::Kill)) => {
            command.args(["-e", &format!("inject={call}:signal=KILL:when={nth}")]);
        }
        Some((Point { call, nth, .. }, Disturbance::Error(name))) => {
            command.args(["-e", &format!("inject={call}:error={name}:when={nth}")]);
        }
        Some((_, Disturbance::Short(bytes))) => {
            command.args(["prlimit", &format!("--fsize={bytes}:{bytes}"), "--"]);
        }
    }
    command.arg(env!("CARGO_BIN_EXE_jetond")).args(args);
    let output = env.finish("jetond", command, b"", false);
    let text = fs::read_to_string(&log).unwrap();
    let passed = match blow {
        None => passed(&text),
        Some((_, Disturbance::Kill)) => killed(&text),
        Some((_, Disturbance::Error(_))) => failed(&text),
        Some((point, Disturbance::Short(_))) => match text.contains("SIGXFSZ") {
            true => vec![point.clone()],
            false => vec![],
        },
    };
    (output, passed)
}

/// Runs `jetond` with these arguments to its end. Returns its output, and every call that changes a file, with the
/// bytes.
pub(crate) fn writes(env: &TestEnv, args: &[String]) -> (Output, String) {
    // The log has secrets, so it is not in the place.
    let log = tempfile::NamedTempFile::new().unwrap();
    let mut command = writing(env, log.path());
    command.arg(env!("CARGO_BIN_EXE_jetond")).args(args);
    let output = env.finish("jetond", command, b"", false);
    (output, fs::read_to_string(log.path()).unwrap())
}

/// Returns the tracer of all calls that change a file, with their bytes and moments. The caller appends the traced
/// command.
pub(crate) fn writing(env: &TestEnv, log: &Path) -> Command {
    let mut command = env.command("strace");
    command.args(["-f", "-q", "-y", "-xx", "-ttt", "-s", "1000000", "-o"]);
    command.arg(log);
    command.args(["-e", &format!("trace={}", CHANGES.join(","))]);
    command
}

/// The calls that change a file.
const CHANGES: [&str; 13] = [
    "openat",
    "write",
    "fsync",
    "fdatasync",
    "rename",
    "renameat",
    "renameat2",
    "unlink",
    "unlinkat",
    "mkdir",
    "mkdirat",
    "fchmod",
    "linkat",
];

/// Returns the output, and the arguments of all programs that the command starts, including itself.
pub(crate) fn arguments(env: &TestEnv, args: &[String]) -> (Output, Vec<u8>) {
    let log = env.path("out/strace-arguments");
    let mut command = env.command("strace");
    command.args(["-f", "-q", "-v", "-s", "65536", "-e", "trace=execve"]);
    command.arg("-o").arg(&log);
    command.arg(env!("CARGO_BIN_EXE_jetond")).args(args);
    let output = env.finish("jetond", command, b"", false);
    (output, fs::read(&log).unwrap())
}

/// Parses a line of the log: the process or thread, its name, and the rest.
fn line(line: &str) -> Option<(&str, &str, &str)> {
    let (tid, rest) = line.split_once('<')?;
    let (name, rest) = rest.split_once("> ")?;
    Some((tid, name, rest.trim_start()))
}

/// Returns the call that a line of the log begins.
fn call(rest: &str) -> Option<&str> {
    let call = rest.split_once('(')?.0;
    call.bytes()
        .all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
        .then_some(call)
}

/// Returns the points in the log.
fn passed(log: &str) -> Vec<Point> {
    let mut counts: HashMap<(&str, &str), usize> = HashMap::new();
    let mut points = vec![];
    for (tid, name, rest) in log.lines().filter_map(line) {
        let Some(call) = call(rest) else { continue };
        let nth = counts.entry((tid, call)).or_default();
        *nth += 1;
        points.push(Point {
            thread: name.to_owned(),
            call: call.to_owned(),
            nth: *nth,
        });
    }
    points
}

/// Returns the points in the log at which strace has injected a failure.
fn failed(log: &str) -> Vec<Point> {
    let failed: Vec<bool> = log
        .lines()
        .filter_map(line)
        .filter(|(_, _, rest)| call(rest).is_some())
        .map(|(_, _, rest)| rest.ends_with("(INJECTED)"))
        .collect();
    let points = passed(log).into_iter().zip(failed);
    points
        .filter(|(_, failed)| *failed)
        .map(|(point, _)| point)
        .collect()
}

/// Returns the points at which a process was killed: its last calls did not end.
fn killed(log: &str) -> Vec<Point> {
    let died: Vec<&str> = log
        .lines()
        .filter_map(line)
        .filter(|(_, _, rest)| rest.starts_with("+++ killed by SIGKILL"))
        .map(|(tid, ..)| tid)
        .collect();
    let mut counts: HashMap<(&str, &str), usize> = HashMap::new();
    let mut last: HashMap<&str, Point> = HashMap::new();
    for (tid, name, rest) in log.lines().filter_map(line) {
        let Some(call) = call(rest) else { continue };
        let nth = counts.entry((tid, call)).or_default();
        *nth += 1;
        last.remove(tid);
        if died.contains(&tid) && (rest.ends_with("= ?") || rest.ends_with("<unfinished ...>")) {
            let (thread, call, nth) = (name.to_owned(), call.to_owned(), *nth);
            last.insert(tid, Point { thread, call, nth });
        }
    }
    last.into_values().collect()
}
