//! Signal dispositions: inherited settings, and streams of arriving signals.

use std::io;
use std::os::unix::net::UnixStream;

use nix::sys::signal::{SigSet, SigmaskHow};
use signal_hook::consts::{SIGCHLD, SIGINT, SIGQUIT, SIGTERM, SIGUSR1, SIGUSR2, SIGXCPU, SIGXFSZ};
use signal_hook::{flag, low_level};

/// The signal mask that this process inherited.
#[derive(Debug, Clone, Copy)]
pub struct InheritedMask(SigSet);

/// Undoes settings that a parent may have made: unblocks all signals, and handles `SIGCHLD`. With `SIGTERM` blocked,
/// the daemon could not be stopped; with `SIGCHLD` ignored, the kernel would discard the exit status of every child.
/// Also handles `SIGXFSZ`, so that a write beyond the file size limit fails with `EFBIG` instead of ending the process
/// (setrlimit(2)).
///
/// Call it before any thread is started, since a thread inherits the mask of its creator.
pub fn reset() -> InheritedMask {
    // Registering fails only for a signal that does not exist.
    let inherited = SigSet::empty().thread_swap_mask(SigmaskHow::SIG_SETMASK);
    for signal in [SIGCHLD, SIGXFSZ] {
        let _: io::Result<_> = flag::register(signal, std::sync::Arc::default());
    }
    InheritedMask(inherited.unwrap_or_else(|_| SigSet::empty()))
}

impl InheritedMask {
    /// Runs `work` on this thread with the inherited mask, so that a process that it starts inherits what our parent
    /// intended. Signals that arrive meanwhile are delivered afterwards.
    pub fn during<T>(&self, work: impl FnOnce() -> T) -> T {
        let ours = self.0.thread_swap_mask(SigmaskHow::SIG_SETMASK);
        let result = work();
        if let Ok(ours) = ours {
            let _: nix::Result<()> = ours.thread_set_mask();
        }
        result
    }
}

/// The signals that this process ignores. A signal that our parent set to ignored stays ignored, as with `nohup`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Ignored(u64);

impl Ignored {
    /// Reads the ignored signals from `/proc/self/status` (proc(5)); empty if that file does not exist.
    pub fn by_this_process() -> Self {
        Self::of(&std::fs::read_to_string("/proc/self/status").unwrap_or_default())
    }

    fn of(status: &str) -> Self {
        let mask = status.lines().find_map(|line| line.strip_prefix("SigIgn:"));
        let mask = mask.and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok());
        Self(mask.unwrap_or(0))
    }

    /// Reports whether this signal is ignored.
    pub fn contains(self, signal: i32) -> bool {
        // Bit 0 is signal 1.
        let bit = signal
            .checked_sub(1)
            .and_then(|bit| u32::try_from(bit).ok());
        bit.and_then(|bit| self.0.checked_shr(bit))
            .is_some_and(|mask| mask & 1 == 1)
    }
}

/// Makes this process survive signals that end, warn or interrupt a whole job: `kill 0`, a control group that is
/// stopped, the steps of a Slurm job. They are handled and not ignored, so that programs that this process starts get
/// the defaults.
///
/// # Errors
/// The system's error.
pub fn disregard_those_of_a_job() -> io::Result<()> {
    for signal in [SIGTERM, SIGINT, SIGQUIT, SIGUSR1, SIGUSR2, SIGXCPU] {
        flag::register(signal, std::sync::Arc::default())?;
    }
    Ok(())
}

/// Creates a stream that gets a byte whenever one of these signals arrives. A signal handler cannot safely do more. The
/// stream does not block.
///
/// # Errors
/// The system's error if no descriptor is left.
pub fn stream(signals: &[i32]) -> io::Result<UnixStream> {
    let (read, write) = UnixStream::pair()?;
    for signal in signals {
        low_level::pipe::register(*signal, write.try_clone()?)?;
    }
    read.set_nonblocking(true)?;
    Ok(read)
}

#[cfg(test)]
#[expect(
    clippy::disallowed_methods,
    reason = "a test may panic if it cannot start a thread"
)]
mod tests {
    use nix::sys::signal::Signal;

    use super::*;

    #[test]
    fn an_ignored_signal_is_recognized_in_the_signal_mask() {
        let hup_and_pipe = Ignored::of("Name:\tx\nSigBlk:\t0000\nSigIgn:\t0000000000001001\n");
        for (signal, ignored) in [(1, true), (2, false), (13, true), (0, false), (99, false)] {
            assert_eq!(hup_and_pipe.contains(signal), ignored, "{signal}");
        }
        for status in ["SigIgn: not a mask\n", ""] {
            assert_eq!(Ignored::of(status), Ignored(0));
        }
    }

    #[test]
    fn signals_are_blocked_only_while_the_inherited_mask_is_applied() {
        // Each thread has a signal mask of its own.
        std::thread::spawn(|| {
            let blocked = || SigSet::thread_get_mask().unwrap();
            let mut theirs = SigSet::empty();
            theirs.add(Signal::SIGTERM);
            theirs.add(Signal::SIGCHLD);
            theirs.thread_set_mask().unwrap();
            let inherited = reset();
            assert_eq!(blocked(), SigSet::empty());
            assert_eq!(inherited.during(blocked), theirs);
            assert_eq!(blocked(), SigSet::empty());
        })
        .join()
        .unwrap();
    }
}
