//! Signals as a stream of requests to reload or stop.

use std::io;
use std::os::fd::OwnedFd;

use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};
use tokio::io::AsyncReadExt;
use tokio::net::unix::pipe;

use crate::process;

/// The request that a signal makes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SignalRequest {
    /// Read the configuration again (`SIGHUP`).
    Reload,
    /// Stop (`SIGTERM`, `SIGINT`; a daemon with a lifeline stops only at the end of the lifeline).
    Stop,
}

/// The stream of requests.
pub struct Signals {
    reload: tokio::net::UnixStream,
    stop: Option<tokio::net::UnixStream>,
    /// A pipe whose other end is held by the process that the daemon serves. Its end is a request to stop.
    lifeline: Option<pipe::Receiver>,
}

impl Signals {
    /// Catches the signals from now on.
    ///
    /// # Errors
    /// The system's error, if no descriptor is left.
    pub fn new() -> io::Result<Self> {
        Ok(Self {
            reload: caught(&[SIGHUP])?,
            stop: Some(caught(&[SIGTERM, SIGINT])?),
            lifeline: None,
        })
    }

    /// Catches `SIGHUP`; only the end of `pipe` is a request to stop. The pipe ends with the process that holds its
    /// other end, even if that process is killed. A signal that ends a whole job is meant for its command, which may
    /// need tokens until it exits.
    ///
    /// # Errors
    /// The errors of [`Signals::new`], and [`io::ErrorKind::InvalidInput`] if `pipe` is not the reading end of a pipe.
    pub fn with_lifeline(pipe: OwnedFd) -> io::Result<Self> {
        process::dispositions::disregard_those_of_a_job()?;
        Ok(Self {
            reload: caught(&[SIGHUP])?,
            stop: None,
            lifeline: Some(pipe::Receiver::from_owned_fd(pipe)?),
        })
    }

    /// Returns the next request. Signals of one kind that arrive before this call count once.
    pub async fn next(&mut self) -> SignalRequest {
        let mut bytes = [0; 64];
        let (read, request) = tokio::select! { biased;
            read = stop(&mut self.stop) => (read, SignalRequest::Stop),
            () = ended(&mut self.lifeline) => return SignalRequest::Stop,
            read = self.reload.read(&mut bytes) => (read, SignalRequest::Reload),
        };
        match read {
            Ok(n) if n > 0 => request,
            // The signal handler holds the other end forever, so this cannot happen.
            _ => std::future::pending().await,
        }
    }

    /// Waits for the next request to stop, and ignores others.
    pub async fn stop(&mut self) {
        while self.next().await != SignalRequest::Stop {}
    }
}

/// Waits for one stop signal. Reads one byte, so that a second signal still counts.
async fn stop(signals: &mut Option<tokio::net::UnixStream>) -> io::Result<usize> {
    match signals {
        Some(signals) => signals.read(&mut [0; 1]).await,
        None => std::future::pending().await,
    }
}

/// Waits for the lifeline's end, and reports it once. Without a lifeline, waits forever.
async fn ended(lifeline: &mut Option<pipe::Receiver>) {
    let Some(pipe) = lifeline else {
        return std::future::pending().await;
    };
    // No data is expected; ignore any.
    while matches!(pipe.read(&mut [0; 64]).await, Ok(n) if n > 0) {}
    *lifeline = None;
}

fn caught(signals: &[i32]) -> io::Result<tokio::net::UnixStream> {
    tokio::net::UnixStream::from_std(process::dispositions::stream(signals)?)
}
