//! A running `jetond` at log level TRACE, with its output in a file.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, ExitStatus};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Resource, Rlimit, Signal, getrlimit, kill_process, setrlimit};

/// How long a test waits for a program on a busy machine before it fails.
pub(crate) const PATIENCE: Duration = Duration::from_secs(60);

/// A running daemon.
#[derive(Debug)]
pub(crate) struct Daemon {
    pub(crate) child: Child,
    /// The token socket.
    pub(crate) socket: PathBuf,
    /// The admin socket.
    pub(crate) admin: PathBuf,
    /// The file with its standard output and standard error.
    pub(crate) output: PathBuf,
    pub(crate) seen_in_proc: Vec<(String, Vec<u8>)>,
}

impl Daemon {
    /// Returns the log so far.
    pub(crate) fn log(&self) -> String {
        fs::read_to_string(&self.output).unwrap()
    }

    /// Returns the log with every line from before this call. A separate thread writes the log, so this makes a request
    /// whose line at TRACE follows those lines, and waits for it.
    pub(crate) fn log_up_to_now(&self) -> String {
        static CALLS: AtomicU64 = AtomicU64::new(0);
        let path = format!("/up-to-now/{}", CALLS.fetch_add(1, Ordering::Relaxed));
        let _ = super::http::request(&self.socket, "GET", &path, &[], b"");
        self.wait_for_log(&path);
        self.log()
    }

    /// Waits until the log contains this text. Another process writes the log, so there is no event to wait for.
    pub(crate) fn wait_for_log(&self, text: &str) {
        wait_until(&format!("the log to say {text:?}"), || {
            self.log().contains(text)
        });
    }

    /// Sends the daemon a signal.
    pub(crate) fn signal(&self, signal: Signal) {
        let pid = Pid::from_raw(i32::try_from(self.child.id()).unwrap()).unwrap();
        kill_process(pid, signal).unwrap();
    }

    /// Returns the names of its threads.
    pub(crate) fn threads(&self) -> Vec<String> {
        let tasks = fs::read_dir(format!("/proc/{}/task", self.child.id())).unwrap();
        tasks
            // A thread may end in the meantime.
            .filter_map(|task| fs::read_to_string(task.unwrap().path().join("comm")).ok())
            .map(|name| name.trim().to_owned())
            .collect()
    }

    /// Records what every user can see of the process: its arguments and, where readable, its environment.
    pub(crate) fn record_proc(&mut self) {
        for name in ["cmdline", "environ"] {
            if let Ok(bytes) = fs::read(format!("/proc/{}/{name}", self.child.id())) {
                self.seen_in_proc
                    .push((format!("/proc/PID/{name} of jetond"), bytes));
            }
        }
    }

    /// Stops the daemon and waits for its end.
    pub(crate) fn stop(&mut self) -> ExitStatus {
        self.record_proc();
        if self.child.try_wait().unwrap().is_none() {
            self.signal(Signal::TERM);
        }
        self.wait()
    }

    /// Waits for the daemon's end.
    pub(crate) fn wait(&mut self) -> ExitStatus {
        let mut status = None;
        wait_until("the daemon to end", || {
            status = self.child.try_wait().unwrap();
            status.is_some()
        });
        status.unwrap()
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Polls until the condition holds. For conditions without an event to wait for.
pub(crate) fn wait_until(what: &str, mut so: impl FnMut() -> bool) {
    let start = Instant::now();
    while !so() {
        assert!(start.elapsed() < PATIENCE, "waited too long for {what}");
        #[expect(
            clippy::disallowed_methods,
            reason = "only the test's own thread waits"
        )]
        std::thread::sleep(Duration::from_millis(5));
    }
}

/// Creates a socket file without a listener. Closing a listener instead would not be safe: between its fork and its
/// exec, a child of another test has a copy, which could accept for a moment.
pub(crate) fn leave_stale(socket: &Path) {
    use rustix::net::{AddressFamily, SocketAddrUnix, SocketType};
    let never_listens = rustix::net::socket(AddressFamily::UNIX, SocketType::STREAM, None).unwrap();
    rustix::net::bind(&never_listens, &SocketAddrUnix::new(socket).unwrap()).unwrap();
}

/// Returns whether the socket accepts connections.
pub(crate) fn accepts(socket: &Path) -> bool {
    std::os::unix::net::UnixStream::connect(socket).is_ok()
}

/// Raises this process's limit on open descriptors to the maximum.
pub(crate) fn raise_descriptor_limit() {
    let limit = getrlimit(Resource::Nofile);
    let raised = Rlimit {
        current: limit.maximum,
        ..limit
    };
    setrlimit(Resource::Nofile, raised).unwrap();
}
