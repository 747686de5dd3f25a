//! A process of this program that watches the keyring and reports each change to its parent.
//!
//! It is a process of its own for the same reason as a call: zbus panics when the system refuses it a thread. It ends
//! when its parent no longer reads.

use std::io::{self, ErrorKind, Write as _};
use std::os::fd::OwnedFd;
use std::os::unix::process::CommandExt as _;
use std::process::{Child, Command, Stdio};

use rustix::event::{PollFd, PollFlags, poll};

use super::KeyringFault;
use super::call::Item;
use super::signal::Signal;
use super::system;
use crate::offload;
use crate::process::children::{self, ChildRegistration};
use crate::process::program::{SERVICE_VARIABLES, this_program};

/// The hidden command of `jetond` that watches the keyring.
pub const WATCH_COMMAND: &str = "keyring-watch";

/// The watching process. It ends when this value is dropped.
#[derive(Debug)]
pub struct KeyringWatch {
    child: Child,
    /// Kept until the child has been waited for, which [`Drop`] does before this field is dropped.
    _owned: Option<ChildRegistration>,
}

// === impl KeyringWatch ===

impl KeyringWatch {
    /// Starts the process. Blocks for some milliseconds.
    ///
    /// # Errors
    /// The system's, if it refuses another process.
    pub fn start() -> io::Result<Self> {
        let mut command = Command::new(this_program()?);
        command
            .arg0("jetond")
            .arg(WATCH_COMMAND)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            // The text of a panic adds nothing to the exit status.
            .stderr(Stdio::null());
        for name in SERVICE_VARIABLES {
            command.env_remove(name);
        }
        let (child, owned) = children::start(|| command.spawn(), |child| Some(child.id()))?;
        Ok(Self {
            child,
            _owned: owned,
        })
    }

    /// Takes the end of the pipe from which its [`Signal`]s are read.
    ///
    /// # Errors
    /// If it was taken already.
    pub fn take_output(&mut self) -> io::Result<OwnedFd> {
        let output = self.child.stdout.take();
        output
            .map(OwnedFd::from)
            .ok_or_else(|| ErrorKind::BrokenPipe.into())
    }
}

impl Drop for KeyringWatch {
    fn drop(&mut self) {
        // A process that has exited keeps its status until it is waited for.
        let _: io::Result<()> = self.child.kill();
        let _: io::Result<_> = self.child.wait();
    }
}

/// Watches the system's keyring on behalf of the parent process, until the parent no longer reads; see
/// [`WATCH_COMMAND`].
///
/// # Errors
/// If the keyring cannot be watched, or the system refuses a thread.
pub fn serve_watch() -> io::Result<()> {
    offload::thread("parent", end_with_parent)?;
    match system::watch(Item::Record.service(), tell) {
        Ok(()) => Ok(()),
        Err(KeyringFault::NoBus) => tell(Signal::NoKeyring),
        Err(fault) => Err(io::Error::other(fault)),
    }
}

/// Writes a signal for the parent.
fn tell(signal: Signal) -> io::Result<()> {
    let mut stdout = io::stdout().lock();
    stdout
        .write_all(&[signal.byte()])
        .and_then(|()| stdout.flush())
}

/// Ends this process when the other end of its standard output is closed.
#[expect(
    clippy::exit,
    reason = "the other thread waits for the bus, and nothing of this process is left to be done"
)]
fn end_with_parent() {
    let stdout = io::stdout();
    let mut closed = [PollFd::new(&stdout, PollFlags::empty())];
    while poll(&mut closed, None) == Err(rustix::io::Errno::INTR) {}
    std::process::exit(0);
}
