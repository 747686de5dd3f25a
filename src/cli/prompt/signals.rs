//! The signals that must not end or stop this process before the terminal is restored.

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

/// The signals that end this process.
const ENDING: [i32; 4] = [SIGINT, SIGTERM, SIGHUP, SIGQUIT];

/// The switch that gives each signal its usual effect while no question is open. It is set up once, since a handler
/// stays installed for good.
static USUAL: OnceLock<Usual> = OnceLock::new();

struct Usual {
    ends: Arc<AtomicBool>,
    stops: Arc<AtomicBool>,
    /// The signals that were not ignored at the start of this process.
    caught: Vec<i32>,
}

/// The effect that a signal demands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum SignalEffect {
    /// End by this signal.
    End(i32),
    /// Stop until SIGCONT.
    Stop,
    /// Ask the question again: the process was stopped by SIGSTOP, or did not stop because no shell would continue it.
    GoOn,
}

/// Catches the signals until it is dropped.
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

    /// The descriptor that is readable when a signal has arrived.
    pub(super) fn arrive_at(&self) -> BorrowedFd<'_> {
        self.delivery.get_read().as_fd()
    }

    /// The effect that the arrived signals demand. An end precedes all others.
    pub(super) fn arrived(&mut self) -> Option<SignalEffect> {
        let mut asked = None;
        for origin in self.delivery.pending() {
            let this = match origin.signal {
                // A key stops this process only if a shell can continue it. A process that sends the signal can
                // continue it itself.
                SIGTSTP if origin.process.is_some() || has_job_control() => SignalEffect::Stop,
                SIGTSTP | SIGCONT => SignalEffect::GoOn,
                signal => SignalEffect::End(signal),
            };
            asked = match (asked, this) {
                (Some(SignalEffect::End(first)), _) => Some(SignalEffect::End(first)),
                (Some(SignalEffect::Stop), SignalEffect::GoOn) => Some(SignalEffect::Stop),
                _ => Some(this),
            };
        }
        asked
    }

    /// Ends by the signal, so that the parent sees which one; or stops, and returns after SIGCONT.
    pub(super) fn obey(&mut self, signal: i32) {
        if signal != SIGTSTP && is_process_one() {
            low_level::exit(status_of(signal));
        }
        // If the signal ends this process, the call returns only on an error.
        let _: io::Result<()> = emulate_default_handler(signal);
        // The SIGCONT that has just arrived needs no reaction.
        self.delivery.pending().for_each(drop);
    }

    /// Stops catching, and obeys a signal that came while the answer was read.
    pub(super) fn release(mut self) {
        self.usual.set(true);
        if let Some(SignalEffect::End(signal)) = self.arrived() {
            self.obey(signal);
        }
    }

    /// Gives signals their usual effect while `work` runs.
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

/// Whether this is process 1, which no signal ends by default (pid_namespaces(7)). Then it exits with a shell's code
/// for the signal.
fn is_process_one() -> bool {
    getpid().as_raw() == 1
}

const fn status_of(signal: i32) -> i32 {
    128 + signal
}

/// Whether a shell can continue this process after a stop. Without a shell the kernel's default does not stop a process
/// group either (POSIX: an orphaned process group), for example in `ssh -t HOST jetond add`.
///
/// A group or a session of another PID namespace has the number 0, so rustix has no type for them.
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

/// The parent of a process, by proc(5); 0 if it is not known.
fn parent_of(pid: Pid) -> Pid {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
    let parent = status.lines().find_map(|line| line.strip_prefix("PPid:"));
    let parent = parent.and_then(|parent| parent.trim().parse().ok());
    Pid::from_raw(parent.unwrap_or(0))
}
