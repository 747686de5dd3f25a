//! The signals that must not end or stop us before the terminal is as it was.

use std::io;
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::net::UnixStream;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock};

use nix::unistd::{Pid, getpgid, getpgrp, getpid, getppid, getsid};
use signal_hook::consts::{SIGCONT, SIGHUP, SIGINT, SIGQUIT, SIGTERM, SIGTSTP};
use signal_hook::iterator::backend::SignalDelivery;
use signal_hook::iterator::exfiltrator::origin::WithOrigin;
use signal_hook::low_level::{self, emulate_default_handler};

use crate::process::dispositions::Ignored;

/// Those that end us.
const ENDING: [i32; 4] = [SIGINT, SIGTERM, SIGHUP, SIGQUIT];

/// What each signal does while no question is open: as before. Set once, since a handler stays installed for good.
static USUAL: OnceLock<Usual> = OnceLock::new();

struct Usual {
    ends: Arc<AtomicBool>,
    stops: Arc<AtomicBool>,
    /// Those that were not ignored when we were started.
    caught: Vec<i32>,
}

/// What a signal asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Asked {
    /// To end, by this signal.
    End(i32),
    /// To stop, until SIGCONT.
    Stop,
    /// To ask again: we were stopped by SIGSTOP, or were not stopped since nothing would continue us.
    GoOn,
}

/// The signals are caught as long as this is there.
pub(super) struct Signals {
    delivery: SignalDelivery<UnixStream, WithOrigin>,
    usual: &'static Usual,
}

// === impl Signals ===

impl Signals {
    pub(super) fn catch() -> io::Result<Self> {
        let usual = Usual::get()?;
        let (read, write) = UnixStream::pair()?;
        read.set_nonblocking(true)?;
        let caught = usual.caught.iter().chain([&SIGCONT]);
        let delivery = SignalDelivery::with_pipe(read, write, WithOrigin::default(), caught)?;
        usual.set(false);
        Ok(Self { delivery, usual })
    }

    /// Readable when one has arrived.
    pub(super) fn arrive_at(&self) -> BorrowedFd<'_> {
        self.delivery.get_read().as_fd()
    }

    /// What those that have arrived ask for; to end goes before all else.
    pub(super) fn arrived(&mut self) -> Option<Asked> {
        let mut asked = None;
        for origin in self.delivery.pending() {
            let this = match origin.signal {
                // A key stops us only where a shell can continue us; a process that sends the signal can do so itself.
                SIGTSTP if origin.process.is_some() || has_job_control() => Asked::Stop,
                SIGTSTP | SIGCONT => Asked::GoOn,
                signal => Asked::End(signal),
            };
            asked = match (asked, this) {
                (Some(Asked::End(first)), _) => Some(Asked::End(first)),
                (Some(Asked::Stop), Asked::GoOn) => Some(Asked::Stop),
                _ => Some(this),
            };
        }
        asked
    }

    /// Ends by the signal, so that our parent sees which one; or stops, and comes back after SIGCONT.
    pub(super) fn obey(&mut self, signal: i32) {
        if signal != SIGTSTP && is_process_one() {
            low_level::exit(status_of(signal));
        }
        // For a signal that ends us it does not return when it succeeds.
        let _: io::Result<()> = emulate_default_handler(signal);
        // That we go on is known.
        self.delivery.pending().for_each(drop);
    }

    /// Catches no more, and obeys one that came while the line was taken.
    pub(super) fn release(mut self) {
        self.usual.set(true);
        if let Some(Asked::End(signal)) = self.arrived() {
            self.obey(signal);
        }
    }

    /// Lets signals do what they usually do, while this runs.
    pub(super) fn let_through<T>(&self, work: impl FnOnce() -> T) -> T {
        self.usual.set(true);
        let done = work();
        self.usual.set(false);
        done
    }
}

impl Drop for Signals {
    fn drop(&mut self) {
        self.usual.set(true);
    }
}

// === impl Usual ===

impl Usual {
    fn get() -> io::Result<&'static Self> {
        if let Some(usual) = USUAL.get() {
            return Ok(usual);
        }
        let ignored = Ignored::by_this_process();
        let is_caught = |signal: &i32| !ignored.contains(*signal);
        let (ends, stops) = (Arc::default(), Arc::default());
        for signal in ENDING.into_iter().filter(is_caught) {
            let ends = Arc::clone(&ends);
            if is_process_one() {
                signal_hook::flag::register_conditional_shutdown(signal, status_of(signal), ends)?;
            } else {
                signal_hook::flag::register_conditional_default(signal, ends)?;
            }
        }
        if is_caught(&SIGTSTP) {
            signal_hook::flag::register_conditional_default(SIGTSTP, Arc::clone(&stops))?;
        }
        let caught = ENDING.into_iter().chain([SIGTSTP]).filter(is_caught);
        let caught = caught.collect();
        Ok(USUAL.get_or_init(|| Self {
            ends,
            stops,
            caught,
        }))
    }

    fn set(&self, usual: bool) {
        self.ends.store(usual, Ordering::SeqCst);
        self.stops
            .store(usual && has_job_control(), Ordering::SeqCst);
    }
}

/// Whether no signal ends us by its default (pid_namespaces(7)): then we exit as a shell says that it did.
fn is_process_one() -> bool {
    getpid().as_raw() == 1
}

const fn status_of(signal: i32) -> i32 {
    128 + signal
}

/// Whether a shell can continue us after a stop. Without one the kernel's own default does not stop a process group either
/// (POSIX: an orphaned process group), as with `ssh -t HOST jetond add`.
///
/// A group or a session of another PID namespace has the number 0, which is why rustix cannot name them.
fn has_job_control() -> bool {
    let (Ok(session), group) = (getsid(None), getpgrp()) else {
        return false;
    };
    let mut above = getppid();
    while above.as_raw() > 0 {
        if getsid(Some(above)) != Ok(session) {
            return false;
        }
        if getpgid(Some(above)) != Ok(group) {
            return true;
        }
        above = parent_of(above);
    }
    false
}

/// The parent of a process, by proc(5); 0 where that cannot be told.
fn parent_of(pid: Pid) -> Pid {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
    let parent = status.lines().find_map(|line| line.strip_prefix("PPid:"));
    let parent = parent.and_then(|parent| parent.trim().parse().ok());
    Pid::from_raw(parent.unwrap_or(0))
}
