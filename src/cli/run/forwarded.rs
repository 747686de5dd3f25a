//! The signals that a command must get although they were sent to the process that started it.

use std::io;
use std::os::unix::net::UnixStream;

use signal_hook::consts::{SIGHUP, SIGINT, SIGQUIT, SIGTERM, SIGUSR1, SIGUSR2, SIGWINCH};
use signal_hook::iterator::backend::SignalDelivery;
use signal_hook::iterator::exfiltrator::origin::WithOrigin;
use tokio::io::AsyncReadExt as _;

/// All of them.
const FORWARDED: [i32; 7] = [SIGTERM, SIGINT, SIGHUP, SIGQUIT, SIGUSR1, SIGUSR2, SIGWINCH];

/// A signal that has arrived.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Arrived {
    pub(super) signal: i32,
    /// Whether a process sent it to us. If not, a key or the end of the terminal did, and the command, which is in our
    /// process group, has got it as well: a second one would be an impatient user's.
    pub(super) sent: bool,
}

/// The signals that arrive.
pub(super) struct Forwarded {
    delivery: SignalDelivery<tokio::net::UnixStream, WithOrigin>,
    /// Those that have arrived together and were not asked for yet.
    waiting: Vec<Arrived>,
}

// === impl Forwarded ===

impl Forwarded {
    /// Catches the signals from now on, but for those that are ignored: the command inherits that, as with `nohup`.
    pub(super) fn new() -> io::Result<Self> {
        let (read, write) = UnixStream::pair()?;
        read.set_nonblocking(true)?;
        let read = tokio::net::UnixStream::from_std(read)?;
        let ignored = ignored(&std::fs::read_to_string("/proc/self/status").unwrap_or_default());
        let caught = FORWARDED
            .into_iter()
            .filter(|signal| ignored & (1 << (signal - 1)) == 0);
        let delivery = SignalDelivery::with_pipe(read, write, WithOrigin::default(), caught)?;
        Ok(Self {
            delivery,
            waiting: vec![],
        })
    }

    /// The next signal.
    pub(super) async fn next(&mut self) -> Arrived {
        loop {
            if let Some(arrived) = self.waiting.pop() {
                return arrived;
            }
            if self
                .delivery
                .get_read_mut()
                .read(&mut [0; 64])
                .await
                .is_err()
            {
                // The other end lives in the signal handler for ever.
                return std::future::pending().await;
            }
            let pending = self.delivery.pending();
            self.waiting.extend(pending.map(|origin| Arrived {
                signal: origin.signal,
                sent: origin.process.is_some(),
            }));
        }
    }
}

/// Which signals a process ignores, bit 0 being signal 1, by its `/proc/PID/status` (proc(5)). Where there is none,
/// nothing counts as ignored.
fn ignored(status: &str) -> u64 {
    status
        .lines()
        .find_map(|line| line.strip_prefix("SigIgn:"))
        .and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok())
        .unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_ignored_is_read_from_the_mask() {
        let hup_and_pipe = "Name:\tx\nSigBlk:\t0000000000000000\nSigIgn:\t0000000000001001\n";
        assert_eq!(ignored(hup_and_pipe), (1 << (SIGHUP - 1)) | 1 << 12);
        assert_eq!(ignored("SigIgn: not a mask\n"), 0);
        assert_eq!(ignored(""), 0);
    }
}
