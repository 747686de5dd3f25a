//! Signals as a stream of wishes.

use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream;

use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};
use signal_hook::low_level;
use tokio::io::AsyncReadExt;
use tokio::net::unix::pipe;

/// What a signal asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Wish {
    /// Read the configuration again (`SIGHUP`).
    Reload,
    /// Stop (`SIGTERM`, `SIGINT`, and the end of the lifeline).
    Stop,
}

/// The signals that arrive.
pub struct Signals {
    reload: tokio::net::UnixStream,
    stop: tokio::net::UnixStream,
    /// A pipe whose other end is whoever this process is for; its end is one wish to stop.
    lifeline: Option<pipe::Receiver>,
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
            lifeline: None,
        })
    }

    /// The same, and the end of this pipe is a wish to stop: it ends with the process that holds its other end, also
    /// when that one is killed and can send no signal.
    ///
    /// # Errors
    /// As [`Signals::new`], and [`io::ErrorKind::InvalidInput`] for what is not the reading end of a pipe.
    pub fn with_lifeline(pipe: OwnedFd) -> io::Result<Self> {
        Ok(Self {
            lifeline: Some(pipe::Receiver::from_owned_fd(pipe)?),
            ..Self::new()?
        })
    }

    /// The next wish; several signals of a kind that nobody has waited for yet are one.
    pub async fn next(&mut self) -> Wish {
        let (mut a, mut b) = ([0; 64], [0; 1]);
        // A second stop must not be lost in the first, so stops are read one by one.
        let (read, wish) = tokio::select! { biased;
            read = self.stop.read(&mut b) => (read, Wish::Stop),
            () = ended(&mut self.lifeline) => return Wish::Stop,
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

/// Waits for the lifeline's end, once; without one, for ever.
async fn ended(lifeline: &mut Option<pipe::Receiver>) {
    let Some(pipe) = lifeline else {
        return std::future::pending().await;
    };
    // Nothing is meant to come; what does is passed over.
    while matches!(pipe.read(&mut [0; 64]).await, Ok(n) if n > 0) {}
    *lifeline = None;
}

/// A stream that gets a byte whenever one of the signals arrives: all that a handler may do safely.
fn caught(signals: &[i32]) -> io::Result<tokio::net::UnixStream> {
    let (read, write) = UnixStream::pair()?;
    for signal in signals {
        low_level::pipe::register(*signal, write.try_clone()?)?;
    }
    read.set_nonblocking(true)?;
    tokio::net::UnixStream::from_std(read)
}
