//! A keyring call in a process of its own, which runs this program.
//!
//! zbus panics when the system refuses it a thread. With `panic = "abort"` that would end the daemon. Here it ends only
//! the process of one call, which is reported as a fault. A call that hangs ends with its process at the time limit.

use std::io::{self, ErrorKind};
use std::os::fd::{AsFd as _, OwnedFd};
use std::os::unix::process::{CommandExt as _, ExitStatusExt as _};
use std::path::PathBuf;
use std::process::{Child, ChildStdin, ChildStdout, Command, ExitStatus, Stdio};
use std::time::Duration;

use clap::ValueEnum as _;
use rustix::event::{PollFd, PollFlags, poll};
use zeroize::Zeroizing;

use super::KeyringFault;
use super::call::{Call, MakeCall, Outcome};
use crate::clock::Countdown;
use crate::process::children::{self, ChildRegistration};
use crate::process::program::{SERVICE_VARIABLES, this_program};

/// The hidden command of `jetond` that makes a call.
pub const COMMAND: &str = "keyring-call";

/// Makes calls in processes of this program.
pub(super) struct Process {
    program: io::Result<PathBuf>,
    /// Arguments before the usual ones.
    first: &'static [&'static str],
    limit: Duration,
}

/// A process that ends with its call.
struct Running {
    child: Child,
    /// Kept until the child has been waited for, which [`Drop`] does before this field is dropped.
    _owned: Option<ChildRegistration>,
}

/// The output of the process, and its exit status; `None` if that is not known.
struct ProcessResult {
    written: Zeroizing<Vec<u8>>,
    output: OutputEnd,
    status: Option<ExitStatus>,
}

/// How the output of the process ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum OutputEnd {
    Closed,
    /// It exceeded the longest answer.
    TooLong,
    /// It had not ended at the time limit.
    Late,
}

// === impl Process ===

impl Process {
    /// Runs calls in processes of this program, each with this time limit.
    pub(super) fn new(limit: Duration) -> Self {
        Self {
            program: this_program(),
            first: &[],
            limit,
        }
    }

    fn start(&self, call: &Call<'_>) -> io::Result<Running> {
        let program = self.program.as_ref().map_err(|error| error.kind())?;
        let operation = call.operation.to_possible_value();
        let operation = operation.ok_or(ErrorKind::InvalidInput)?;
        let item = call.item.to_possible_value();
        let item = item.ok_or(ErrorKind::InvalidInput)?;
        let mut command = Command::new(program);
        command
            .arg0("jetond")
            .args(self.first)
            .args([COMMAND, operation.get_name(), call.profile.as_str()])
            .arg(item.get_name())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            // The text of a panic adds nothing to the exit status.
            .stderr(Stdio::null());
        for name in SERVICE_VARIABLES {
            command.env_remove(name);
        }
        let (child, owned) = children::start(|| command.spawn(), |child| Some(child.id()))?;
        Ok(Running {
            child,
            _owned: owned,
        })
    }
}

impl MakeCall for Process {
    fn make(&self, call: Call<'_>) -> Outcome {
        let failed = |what: String| KeyringFault::Process(what);
        let child = match self.start(&call) {
            Ok(child) => child,
            Err(error) => {
                return Outcome::not_begun(failed(format!("cannot be started: {error}")));
            }
        };
        let longest = call.item.max_answer();
        let ended = match child.exchange(call.content, longest, Countdown::of(self.limit)) {
            Ok(ended) => ended,
            // The process was started, so it may have done its work.
            Err(error) => {
                return Outcome {
                    result: Err(failed(format!("cannot be spoken to: {error}"))),
                    begun: true,
                };
            }
        };
        let (result, begun) = Outcome::read(&ended.written);
        let result = match result {
            _ if ended.output == OutputEnd::Late => Err(KeyringFault::Timeout),
            _ if ended.output == OutputEnd::TooLong => Err(failed("answered too much".to_owned())),
            Some(result) => result,
            None => Err(failed(match ended.status {
                Some(status) if status.signal().is_some() => format!("was ended by {status}"),
                Some(status) => format!("ended without an answer ({status})"),
                None => "ended without an answer".to_owned(),
            })),
        };
        Outcome { result, begun }
    }
}

// === impl Running ===

impl Running {
    /// Writes the process's input and reads its output of at most `longest` bytes, until that ends or the limit is reached;
    /// then ends the process.
    fn exchange(
        mut self,
        input: &[u8],
        longest: usize,
        limit: Countdown,
    ) -> io::Result<ProcessResult> {
        let (Some(stdin), Some(stdout)) = (self.child.stdin.take(), self.child.stdout.take())
        else {
            return Err(ErrorKind::BrokenPipe.into());
        };
        // Allocated at its final size, so that no growth leaves a copy behind.
        let mut written = Zeroizing::new(Vec::with_capacity(longest));
        let output = talk(stdin, stdout, input, (&mut written, longest), limit)?;
        Ok(ProcessResult {
            written,
            output,
            status: self.end(),
        })
    }

    /// Kills the process, if it has not exited, and waits for it.
    fn end(&mut self) -> Option<ExitStatus> {
        // A process that has exited keeps its status until it is waited for.
        let _: io::Result<()> = self.child.kill();
        self.child.wait().ok()
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.end();
    }
}

/// Writes the input and reads the output concurrently, since either pipe may be full; returns how the output ended.
fn talk(
    stdin: ChildStdin,
    stdout: ChildStdout,
    mut input: &[u8],
    (written, longest): (&mut Vec<u8>, usize),
    limit: Countdown,
) -> io::Result<OutputEnd> {
    let stdout = OwnedFd::from(stdout);
    let mut stdin = Some(OwnedFd::from(stdin)).filter(|_| !input.is_empty());
    if let Some(stdin) = &stdin {
        rustix::io::ioctl_fionbio(stdin, true)?;
    }
    loop {
        let left = limit.left();
        let Some(timeout) = left.try_into().ok().filter(|_| !left.is_zero()) else {
            return Ok(OutputEnd::Late);
        };
        let mut ready = vec![PollFd::new(&stdout, PollFlags::IN)];
        ready.extend(stdin.iter().map(|fd| PollFd::new(fd, PollFlags::OUT)));
        match poll(&mut ready, Some(&timeout)) {
            Ok(0) | Err(rustix::io::Errno::INTR) => continue,
            ready => ready?,
        };
        let ready: Vec<bool> = ready.iter().map(|fd| !fd.revents().is_empty()).collect();
        if let (Some(fd), Some(true)) = (&stdin, ready.get(1)) {
            match rustix::io::write(fd, input) {
                Ok(n) => input = input.get(n..).unwrap_or_default(),
                Err(rustix::io::Errno::AGAIN | rustix::io::Errno::INTR) => {}
                // The process reads no more; its answer says why.
                Err(_) => input = &[],
            }
            if input.is_empty() {
                stdin = None;
            }
        }
        if ready.first() == Some(&true) {
            let mut piece = Zeroizing::new([0; 4_096]);
            match rustix::io::read(stdout.as_fd(), &mut piece[..]) {
                Ok(0) => return Ok(OutputEnd::Closed),
                Ok(n) if n > longest - written.len() => return Ok(OutputEnd::TooLong),
                Ok(n) => written.extend_from_slice(piece.get(..n).unwrap_or_default()),
                Err(rustix::io::Errno::AGAIN | rustix::io::Errno::INTR) => {}
                Err(error) => return Err(error.into()),
            }
        }
    }
}

#[cfg(test)]
mod tests;
