//! The log cannot harm the daemon: whether or not standard error is read or writable, the daemon serves, obeys signals
//! and ends properly. Log lines that were dropped are counted in the log.
#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "test helpers panic on an unexpected result, as tests do"
)]

mod broken;
mod exits;
mod journal;
mod places;
mod profiles;
mod stuck;
mod supervisor;
mod threads;

use std::fs::File;
use std::io::{Read as _, Write as _};
use std::os::fd::{AsRawFd as _, OwnedFd};
use std::process::{Command, Stdio};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use rustix::fs::{Mode, OFlags};
use serde_json::Value;

use crate::support::TestEnv;
use crate::support::daemon::{Daemon, accepts, wait_until};
use crate::support::http;

/// The time in which a daemon with a stuck log must end: 100 ms for the log, and a reserve for a busy machine.
const END: Duration = Duration::from_secs(4);

/// A test environment with an enrolled profile.
fn enrolled() -> TestEnv {
    let env = TestEnv::with_sandbox(3_600);
    env.enrol("research");
    env
}

/// Starts a daemon that logs to `log`, and waits until it serves.
fn start(env: &TestEnv, args: &[&str], log: impl Into<Stdio>) -> Daemon {
    start_command(env, env.jetond_command(&[&["run"], args].concat()), log)
}

fn start_command(env: &TestEnv, command: Command, log: impl Into<Stdio>) -> Daemon {
    let mut daemon = spawn(env, command, log);
    let sockets = [daemon.socket.clone(), daemon.admin.clone()];
    wait_until("the daemon to serve", || {
        let ended = daemon.child.try_wait().unwrap();
        assert!(ended.is_none(), "the daemon ended with {ended:?}");
        sockets.iter().all(|socket| accepts(socket))
    });
    daemon
}

/// Starts the daemon without waiting.
fn spawn(env: &TestEnv, mut command: Command, log: impl Into<Stdio>) -> Daemon {
    let child = command
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(log)
        .spawn()
        .unwrap();
    Daemon {
        child,
        socket: env.path("run/jeton/jeton.sock"),
        admin: env.path("run/jeton-admin/admin.sock"),
        output: env.path("out/none"),
        seen_in_proc: vec![],
    }
}

/// Asserts that the daemon serves tokens, obeys a reload and ends properly.
#[track_caller]
fn assert_serves_and_stops(env: &TestEnv, daemon: &mut Daemon) {
    assert_serves(env, daemon);
    let asked = Instant::now();
    let status = daemon.stop();
    assert_eq!(status.code(), Some(0), "{status:?}");
    assert!(asked.elapsed() < END, "the stop took {:?}", asked.elapsed());
    assert!(!daemon.socket.exists() && !daemon.admin.exists());
}

#[track_caller]
fn assert_serves(env: &TestEnv, daemon: &mut Daemon) {
    for _ in 0..20 {
        env.token(daemon, "research");
    }
    let reloaded = env.jeton(&["reload"]);
    assert_eq!(reloaded.code, 0, "{reloaded:?}");
    env.token(daemon, "research");
    assert_eq!(daemon.child.try_wait().unwrap(), None);
}

/// Makes this many requests. Each writes one line at TRACE.
fn chatter(daemon: &Daemon, requests: usize) {
    for _ in 0..requests {
        let answer = http::request(&daemon.socket, "GET", "/healthz", &[], b"");
        assert_eq!(answer.status, 200);
    }
}

/// Makes requests whose lines at TRACE exceed the capacity of a pipe and the log's queue.
fn chatter_of_megabytes(daemon: &Daemon) {
    let path = format!("/{}", "long".repeat(1_000));
    for _ in 0..400 {
        let answer = http::request(&daemon.socket, "GET", &path, &[], b"");
        assert_eq!(answer.status, 404);
    }
}

/// Fills the pipe.
fn fill(pipe: &OwnedFd) {
    // Opened again, because O_NONBLOCK must not affect the open file description that the daemon uses.
    let path = format!("/proc/self/fd/{}", pipe.as_raw_fd());
    let flags = OFlags::WRONLY | OFlags::NONBLOCK | OFlags::CLOEXEC;
    let mut end = File::from(rustix::fs::open(path, flags, Mode::empty()).unwrap());
    for line in [&[b'-'; 4096][..], b"\n"] {
        while end.write(line).is_ok() {}
    }
}

/// Parses the lines of a JSON log, each of which must be complete. Skips lines that the test wrote.
fn lines(log: &str) -> Vec<Value> {
    log.lines()
        .filter(|line| !line.is_empty() && !line.starts_with("--"))
        .map(|line| match serde_json::from_str(line) {
            Ok(value) => value,
            Err(error) => unreachable!("{error}: {line}"),
        })
        .collect()
}

/// Returns the number of lines that the log reports as dropped.
fn dropped(lines: &[Value]) -> u64 {
    lines
        .iter()
        .filter(|line| {
            line["message"]
                .as_str()
                .is_some_and(|message| message.ends_with(" log lines were dropped"))
        })
        .map(|line| line["dropped"].as_u64().unwrap())
        .sum()
}

/// Collects what arrives at the other end of a log from now on.
struct Reader {
    read: Arc<Mutex<Vec<u8>>>,
    thread: JoinHandle<()>,
}

impl Reader {
    fn of(end: impl Into<OwnedFd>) -> Self {
        let mut end = File::from(end.into());
        let read = Arc::<Mutex<Vec<u8>>>::default();
        let all = Arc::clone(&read);
        let thread = std::thread::spawn(move || {
            let mut bytes = [0; 4096];
            // A terminal that no program has open any more gives an error, not an end of file.
            while let Ok(n @ 1..) = end.read(&mut bytes) {
                all.lock().unwrap().extend_from_slice(&bytes[..n]);
            }
        });
        Self { read, thread }
    }

    fn text(&self) -> String {
        String::from_utf8_lossy(&self.read.lock().unwrap()).into_owned()
    }

    fn wait_for(&self, text: &str) {
        wait_until(&format!("the log to say {text:?}"), || {
            self.text().contains(text)
        });
    }

    /// Returns everything, once the program has ended. The text is searched for secrets.
    fn end(self, env: &TestEnv) -> String {
        self.thread.join().unwrap();
        let text = String::from_utf8_lossy(&self.read.lock().unwrap()).into_owned();
        env.add_output("a log", text.as_bytes(), false);
        text
    }
}
