//! A daemon under strace whose calls are observed as it makes them.
//!
//! Each call waits a moment before it is executed, and the daemon can be killed there.
//!
//! A daemon makes its calls on many threads, and most threads make few. So a call is named by the state of the disk
//! at that moment, and by its number in that state, instead of its number in its thread.

use std::fs::File;
use std::io::Read as _;
use std::path::PathBuf;
use std::process::Command;
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::time::Duration;

use tempfile::TempDir;

use crate::support::TestEnv;
use crate::tracer::{CALLS, Group};

/// The delay before a call is executed, in microseconds: enough to observe it and to kill the daemon.
const WAITS: u32 = 10_000;

/// The timeout of waiting for a call.
const LOOK: Duration = Duration::from_millis(100);

/// The output of strace.
pub(super) struct TracedDaemon {
    /// Not in the place, because all files there are read to their end.
    folder: TempDir,
    /// The port of the control plane.
    port: String,
    calls: Option<Receiver<String>>,
}

/// An observation.
pub(super) enum Observation {
    /// The daemon is about to make a call for its rotation.
    Call(Group),
    /// There was no call for a while.
    Nothing,
    /// The daemon has ended.
    End,
}

// === impl Live ===

impl TracedDaemon {
    pub(super) fn new(env: &TestEnv) -> Self {
        let folder = TempDir::new().unwrap();
        let mut make = Command::new("mkfifo");
        let made = make.arg(folder.path().join("calls")).status();
        assert!(made.unwrap().success(), "mkfifo");
        let url = env.sandbox().url();
        Self {
            port: url.rsplit(':').next().unwrap().to_owned(),
            calls: None,
            folder,
        }
    }

    fn fifo(&self) -> PathBuf {
        self.folder.path().join("calls")
    }

    /// Returns the command of a daemon under strace. The daemon has the process ID of the started process.
    pub(super) fn command(&self, env: &TestEnv) -> Command {
        let all: Vec<&str> = CALLS
            .iter()
            .flat_map(|(_, calls)| *calls)
            .copied()
            .collect();
        let waiting = CALLS.iter().filter(|(group, _)| *group != Group::Write);
        let waiting: Vec<&str> = waiting.flat_map(|(_, calls)| *calls).copied().collect();
        let mut command = env.command("strace");
        command.args(["-D", "-f", "-qq", "-yy", "-s", "0", "--seccomp-bpf"]);
        command.args(["-e", "signal=none"]);
        command.args(["-e", &format!("trace={}", all.join(","))]);
        // Most writes go to the daemon's log and must not wait.
        let inject = format!("inject={}:delay_enter={WAITS}", waiting.join(","));
        command.args(["-e", &inject]).arg("-o").arg(self.fifo());
        command.args([env!("CARGO_BIN_EXE_jetond"), "run"]);
        command
    }

    /// Begins to read strace's output, after the command was started.
    pub(super) fn follow(&mut self) {
        let (path, (sender, receiver)) = (self.fifo(), channel());
        self.calls = Some(receiver);
        std::thread::spawn(move || {
            let mut pipe = File::open(path).unwrap();
            let mut bytes = [0; 65_536];
            let mut is_begin = true;
            while let Ok(count) = pipe.read(&mut bytes) {
                if count == 0 {
                    return;
                }
                let text = String::from_utf8_lossy(&bytes[..count]).into_owned();
                // The log has one line when a call begins, and one when it ends.
                let lines = text.split('\n').skip(usize::from(!is_begin));
                is_begin = text.ends_with('\n');
                for line in lines.filter(|line| !line.is_empty()) {
                    if sender.send(line.to_owned()).is_err() {
                        return;
                    }
                }
            }
        });
    }

    /// Waits a moment for the next call.
    pub(super) fn next(&self) -> Observation {
        match self.calls.as_ref().unwrap().recv_timeout(LOOK) {
            Ok(line) => self
                .group(&line)
                .map_or(Observation::Nothing, Observation::Call),
            Err(RecvTimeoutError::Timeout) => Observation::Nothing,
            Err(RecvTimeoutError::Disconnected) => Observation::End,
        }
    }

    /// Returns what the call of this line does, if it is for the rotation: on a file of the state, or with the
    /// control plane.
    fn group(&self, line: &str) -> Option<Group> {
        let (_, rest) = line.split_once(' ')?;
        let (call, arguments) = rest.trim_start().split_once('(')?;
        let (group, _) = CALLS.iter().find(|(_, calls)| calls.contains(&call))?;
        let is_ours = match group {
            Group::Write | Group::Rename | Group::Sync => {
                arguments.contains("/state/jeton/") && !arguments.contains("/locks")
            }
            Group::Connect => arguments.contains(&format!("htons({})", self.port)),
            Group::Send | Group::Receive => arguments.contains(&format!(":{}]>", self.port)),
        };
        is_ours.then_some(*group)
    }
}
