//! Runs a program and returns its output, within limits of time and size. No process of its process group outlives the
//! run.

use std::ffi::OsString;
use std::io;
use std::os::fd::{AsFd as _, OwnedFd};
use std::os::unix::process::CommandExt as _;
use std::process::{Child, ChildStdout, Command, ExitStatus, Stdio};
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use rustix::event::{PollFd, PollFlags, poll};
use rustix::process::{Pid, Signal, WaitId, WaitIdOptions, kill_process_group, waitid};
use zeroize::Zeroizing;

use super::children::{self, ChildRegistration};
use crate::clock::Countdown;

mod error;

pub use error::RunError;

/// How many programs run at once, so that a start with many profiles does not fill the machine with them. The others
/// wait, and their time limit starts when they do.
const AT_ONCE: usize = 16;

/// The interval at which to check whether the program has ended, if the system does not report it.
const LOOK: Duration = Duration::from_millis(50);

/// How often to retry a program whose file is still open for writing, as just after an upgrade replaced it.
const BUSY_TRIES: u32 = 20;

/// The limits of a run.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    /// How long the program may run.
    pub time: Duration,
    /// How much it may print, in bytes.
    pub output: usize,
}

/// The process groups of the running programs.
#[derive(Default)]
struct Groups {
    running: Vec<Pid>,
    is_ending: bool,
}

static GROUPS: Mutex<Groups> = Mutex::new(Groups {
    running: vec![],
    is_ending: false,
});
static ENDED: Condvar = Condvar::new();

/// A program that runs in a process group of its own. When it is dropped, the whole group is killed.
struct Running {
    child: Child,
    group: Pid,
    status: Option<ExitStatus>,
    /// Kept until [`Drop`] has waited for the child, which it does before this field is dropped.
    _owned: Option<ChildRegistration>,
}

/// Runs a program and returns its output. The first word is the program; `variables` are its whole environment. Its
/// standard input is empty, and its standard error is discarded. The output is complete when the program ends, even if
/// another process still holds the pipe open. Blocks.
///
/// # Errors
/// [`RunError`] if it cannot be started, exceeds a limit, or fails.
pub fn run(
    words: &[String],
    variables: &[(OsString, OsString)],
    limits: Limits,
) -> Result<Zeroizing<Vec<u8>>, RunError> {
    let (mut running, stdout) = Running::start(words, variables)?;
    // Allocated at its final size, since a growing buffer leaves copies of a secret behind.
    let mut output = Zeroizing::new(Vec::with_capacity(limits.output));
    running.read(stdout, &mut output, limits)?;
    match running.end() {
        Some(status) if status.success() => Ok(output),
        Some(status) => Err(RunError::Failed(status)),
        None => Err(RunError::Start(io::ErrorKind::Interrupted.into())),
    }
}

/// Kills all running programs with their process groups, and prevents further ones from starting. Call it when this
/// process ends.
pub fn end_all() {
    let mut groups = groups();
    groups.is_ending = true;
    groups.running.iter().copied().for_each(kill);
    drop(groups);
    ENDED.notify_all();
}

fn groups() -> MutexGuard<'static, Groups> {
    // A panic cannot leave the list inconsistent.
    GROUPS.lock().unwrap_or_else(PoisonError::into_inner)
}

fn kill(group: Pid) {
    // This fails if every process of the group has ended.
    let _: rustix::io::Result<()> = kill_process_group(group, Signal::KILL);
}

// === impl Running ===

impl Running {
    fn start(
        words: &[String],
        variables: &[(OsString, OsString)],
    ) -> Result<(Self, ChildStdout), RunError> {
        let [program, arguments @ ..] = words else {
            return Err(RunError::Start(io::ErrorKind::InvalidInput.into()));
        };
        let mut command = Command::new(program);
        command
            .args(arguments)
            .env_clear()
            .envs(variables.iter().map(|(name, value)| (name, value)))
            .current_dir("/")
            .process_group(0)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::null());
        let mut groups = ENDED
            .wait_while(groups(), |groups| {
                groups.running.len() >= AT_ONCE && !groups.is_ending
            })
            .unwrap_or_else(PoisonError::into_inner);
        if groups.is_ending {
            return Err(RunError::Ending);
        }
        // The list stays locked until it contains the new group, so that `end_all` misses none.
        let mut busy = BUSY_TRIES;
        let (mut child, owned) = loop {
            match children::start(|| command.spawn(), |child| Some(child.id())) {
                Ok(started) => break started,
                Err(error) if is_busy(&error) && busy > 0 => busy -= 1,
                Err(error) => return Err(RunError::Start(error)),
            }
            pause();
        };
        let stdout = child.stdout.take();
        let group = Pid::from_child(&child);
        groups.running.push(group);
        drop(groups);
        let running = Self {
            child,
            group,
            status: None,
            _owned: owned,
        };
        let stdout = stdout.ok_or_else(|| RunError::Start(io::ErrorKind::BrokenPipe.into()))?;
        Ok((running, stdout))
    }

    /// Reads the program's output until the program has ended.
    fn read(
        &self,
        stdout: ChildStdout,
        output: &mut Vec<u8>,
        limits: Limits,
    ) -> Result<(), RunError> {
        let limit = Countdown::of(limits.time);
        let watched = |error: rustix::io::Errno| RunError::Start(error.into());
        let stdout = OwnedFd::from(stdout);
        rustix::io::ioctl_fionbio(&stdout, true).map_err(watched)?;
        let end = self.end_descriptor();
        let mut is_open = true;
        loop {
            let left = limit.left();
            if left.is_zero() {
                return Err(RunError::Late(limits.time));
            }
            let wait = if end.is_some() { left } else { left.min(LOOK) };
            let wait = wait.try_into().map_err(|_| RunError::Late(limits.time))?;
            let mut ready: Vec<_> = end
                .iter()
                .map(|fd| PollFd::new(fd, PollFlags::IN))
                .collect();
            if is_open {
                ready.push(PollFd::new(&stdout, PollFlags::IN));
            }
            match poll(&mut ready, Some(&wait)) {
                Ok(_) | Err(rustix::io::Errno::INTR) => {}
                Err(error) => return Err(watched(error)),
            }
            // Checked before the output is read: then everything that the program printed before its end is already in
            // the pipe.
            let has_ended = self.has_ended().map_err(watched)?;
            if is_open {
                is_open = read_all(&stdout, output, limits.output)?;
            }
            if has_ended {
                return Ok(());
            }
        }
    }

    /// Opens a descriptor that becomes readable when the program ends; `None` if the system cannot provide one.
    #[cfg(target_os = "linux")]
    fn end_descriptor(&self) -> Option<OwnedFd> {
        rustix::process::pidfd_open(self.group, rustix::process::PidfdFlags::empty()).ok()
    }

    #[cfg(not(target_os = "linux"))]
    fn end_descriptor(&self) -> Option<OwnedFd> {
        None
    }

    /// Reports whether the program has ended. It is not reaped before [`Self::end`], so its number stays its own.
    fn has_ended(&self) -> rustix::io::Result<bool> {
        let options = WaitIdOptions::EXITED | WaitIdOptions::NOHANG | WaitIdOptions::NOWAIT;
        waitid(WaitId::Pid(self.group), options).map(|status| status.is_some())
    }

    /// Kills the whole group, and waits for the program.
    fn end(&mut self) -> Option<ExitStatus> {
        if self.status.is_none() {
            kill(self.group);
            // Before the program is reaped: until then, no other group can get this number.
            let mut groups = groups();
            groups.running.retain(|group| *group != self.group);
            drop(groups);
            ENDED.notify_one();
            self.status = self.child.wait().ok();
        }
        self.status
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.end();
    }
}

fn is_busy(error: &io::Error) -> bool {
    error.kind() == io::ErrorKind::ExecutableFileBusy
}

/// Waits a moment, so that another process can close the file that it writes.
fn pause() {
    // A plain sleep. If a signal interrupts it, the next try makes up for it.
    let _: rustix::io::Result<usize> = LOOK
        .try_into()
        .map_or(Ok(0), |wait| poll(&mut [], Some(&wait)));
}

/// Reads everything that is in the pipe, up to the limit. Returns whether more may come.
fn read_all(stdout: &OwnedFd, output: &mut Vec<u8>, limit: usize) -> Result<bool, RunError> {
    let mut piece = Zeroizing::new([0; 4_096]);
    loop {
        match rustix::io::read(stdout.as_fd(), &mut piece[..]) {
            Ok(0) => return Ok(false),
            Ok(n) if n > limit.saturating_sub(output.len()) => {
                return Err(RunError::TooLong(limit));
            }
            Ok(n) => output.extend_from_slice(piece.get(..n).unwrap_or_default()),
            Err(rustix::io::Errno::AGAIN) => return Ok(true),
            Err(rustix::io::Errno::INTR) => {}
            Err(error) => return Err(RunError::Start(error.into())),
        }
    }
}

#[cfg(test)]
mod tests;
