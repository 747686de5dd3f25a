//! Signals as a stream of wishes.

use std::io;
use std::os::unix::net::UnixStream;

use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};
use signal_hook::low_level::pipe;
use tokio::io::AsyncReadExt;

/// What a signal asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Wish {
    /// Read the configuration again (`SIGHUP`).
    Reload,
    /// Stop (`SIGTERM`, `SIGINT`).
    Stop,
}

/// The signals that arrive.
pub struct Signals {
    reload: tokio::net::UnixStream,
    stop: tokio::net::UnixStream,
}

impl Signals {
    /// Catches the signals from now on.
    ///
    /// # Errors
    /// The system's, when it has no descriptors left.
    pub fn new() -> io::Result<Self> {
        Ok(Self {
            reload: caught(&[SIGHUP])?,
            stop: caught(&[SIGTERM, SIGINT])?,
        })
    }

    /// The next wish; several signals of a kind that nobody has waited for yet are one.
    pub async fn next(&mut self) -> Wish {
        let (mut a, mut b) = ([0; 64], [0; 1]);
        // A second stop must not be lost in the first, so stops are read one by one.
        let (read, wish) = tokio::select! { biased;
            read = self.stop.read(&mut b) => (read, Wish::Stop),
            read = self.reload.read(&mut a) => (read, Wish::Reload),
        };
        match read {
            Ok(n) if n > 0 => wish,
            // The other end lives in the signal handler for ever; were it gone, nobody could ask for anything.
            _ => std::future::pending().await,
        }
    }

    /// The next wish to stop; others that come meanwhile are passed over.
    pub async fn stop(&mut self) {
        while self.next().await != Wish::Stop {}
    }
}

/// A stream that gets a byte whenever one of the signals arrives: all that a handler may do safely.
fn caught(signals: &[i32]) -> io::Result<tokio::net::UnixStream> {
    let (read, write) = UnixStream::pair()?;
    for signal in signals {
        pipe::register(*signal, write.try_clone()?)?;
    }
    read.set_nonblocking(true)?;
    tokio::net::UnixStream::from_std(read)
}
