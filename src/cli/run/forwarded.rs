//! The signals that the command must get although they were sent to its parent, this process.

use std::io;
use std::os::unix::net::UnixStream;

use signal_hook::consts::{SIGHUP, SIGINT, SIGQUIT, SIGTERM, SIGUSR1, SIGUSR2, SIGWINCH};
use signal_hook::iterator::backend::SignalDelivery;
use signal_hook::iterator::exfiltrator::origin::WithOrigin;
use tokio::io::AsyncReadExt as _;

use crate::process::dispositions::Ignored;

/// All forwarded signals.
const FORWARDED: [i32; 7] = [SIGTERM, SIGINT, SIGHUP, SIGQUIT, SIGUSR1, SIGUSR2, SIGWINCH];

/// A signal that has arrived.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct ReceivedSignal {
    pub(super) signal: i32,
    /// Whether a process sent it to us. If not, a key or a hangup of the terminal did, and the command has got it as
    /// well, since it is in our process group. A second one would look like a second request by the user.
    pub(super) sent: bool,
}

/// The stream of arriving signals.
pub(super) struct ForwardedSignals {
    delivery: SignalDelivery<tokio::net::UnixStream, WithOrigin>,
    /// The signals that arrived together and were not returned yet.
    waiting: Vec<ReceivedSignal>,
}

// === impl Forwarded ===

impl ForwardedSignals {
    /// Catches the signals from now on, except for ignored ones: the command inherits that, as with `nohup`.
    pub(super) fn new() -> io::Result<Self> {
        let (read, write) = UnixStream::pair()?;
        read.set_nonblocking(true)?;
        let read = tokio::net::UnixStream::from_std(read)?;
        let ignored = Ignored::by_this_process();
        let caught = FORWARDED
            .into_iter()
            .filter(|signal| !ignored.contains(*signal));
        let delivery = SignalDelivery::with_pipe(read, write, WithOrigin::default(), caught)?;
        Ok(Self {
            delivery,
            waiting: vec![],
        })
    }

    /// The next signal.
    pub(super) async fn next(&mut self) -> ReceivedSignal {
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
                // Unreachable: the other end lives in the signal handler for ever.
                return std::future::pending().await;
            }
            let pending = self.delivery.pending();
            self.waiting.extend(pending.map(|origin| ReceivedSignal {
                signal: origin.signal,
                sent: origin.process.is_some(),
            }));
        }
    }
}
