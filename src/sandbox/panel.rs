//! The switches and settings of a running sandbox, shared by both listeners and the sandbox's owner.

use std::io;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::{mpsc, oneshot};

use super::fault::Fault;
use super::issuer::Issuer;
use super::moment::Moment;
use super::record::Stats;
use super::timeline::Timeline;
use super::tls::Tls;

/// Requests that the listener applies the fault in force. The listener answers when it has opened or closed the port.
pub(super) type PortUpdate = oneshot::Sender<io::Result<()>>;

/// A timeline to follow from now on, and a channel that reports when its steps for this moment are in force.
pub(super) type TimelineStart = (Timeline, oneshot::Sender<()>);

/// A handle on a running sandbox.
#[derive(Debug, Clone)]
pub(super) struct SandboxHandle {
    issuer: Arc<Mutex<Issuer>>,
    tls: Option<Arc<Tls>>,
    open: Arc<AtomicU64>,
    looks: mpsc::Sender<PortUpdate>,
    timelines: mpsc::Sender<TimelineStart>,
}

/// A guard that counts a connection as open until it is dropped.
#[derive(Debug)]
pub(super) struct Open(Arc<AtomicU64>);

impl SandboxHandle {
    pub(super) fn new(
        issuer: Issuer,
        tls: Option<Tls>,
        looks: mpsc::Sender<PortUpdate>,
        timelines: mpsc::Sender<TimelineStart>,
    ) -> Self {
        Self {
            issuer: Arc::new(Mutex::new(issuer)),
            tls: tls.map(Arc::new),
            open: Arc::default(),
            looks,
            timelines,
        }
    }

    /// Locks the issuer; never hold it across an await. First executes all pending requests that are due. As there is
    /// no other way to the issuer, they need no task of their own.
    pub(super) fn issuer(&self) -> MutexGuard<'_, Issuer> {
        let mut issuer = self.issuer.lock().unwrap_or_else(PoisonError::into_inner);
        if !issuer.pending.is_empty() {
            issuer.catch_up(Moment::now());
        }
        issuer
    }

    /// Returns the certificates, if the sandbox has TLS.
    pub(super) fn tls(&self) -> Option<&Tls> {
        self.tls.as_deref()
    }

    pub(super) fn opened(&self) -> Open {
        self.open.fetch_add(1, Ordering::Relaxed);
        Open(Arc::clone(&self.open))
    }

    pub(super) fn stats(&self) -> Stats {
        Stats {
            open_connections: self.open.load(Ordering::Relaxed),
            ..self.issuer().stats()
        }
    }

    /// Puts a fault in force, and waits until the port is closed or open accordingly. The listener reads the fault
    /// itself, so that the later of two simultaneous calls wins for both.
    pub(super) async fn set_fault(
        &self,
        fault: Option<Fault>,
        requests: Option<u64>,
    ) -> io::Result<()> {
        self.check(fault.as_ref())?;
        if requests.is_some() && fault.as_ref().is_some_and(Fault::is_of_connections) {
            return Err(impossible(
                "faults of connections cannot be counted: no request arrives",
            ));
        }
        self.issuer().switch.set(fault, requests);
        let (done, outcome) = oneshot::channel();
        self.looks.send(done).await.map_err(|_| stopped())?;
        outcome.await.map_err(|_| stopped())?
    }

    /// Follows a timeline, instead of the previous one.
    pub(super) async fn play(&self, timeline: Timeline) -> io::Result<()> {
        for (_, fault) in timeline.steps() {
            self.check(fault.as_ref())?;
        }
        let (done, outcome) = oneshot::channel();
        let sent = self.timelines.send((timeline, done)).await;
        sent.map_err(|_| stopped())?;
        outcome.await.map_err(|_| stopped())
    }

    /// Refuses faults that would have no effect.
    fn check(&self, fault: Option<&Fault>) -> io::Result<()> {
        match fault {
            Some(Fault::Tls(_)) if self.tls.is_none() => {
                Err(impossible("the sandbox was started without TLS"))
            }
            _ => Ok(()),
        }
    }
}

fn impossible(why: &str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidInput, why)
}

fn stopped() -> io::Error {
    io::Error::new(io::ErrorKind::NotConnected, "the sandbox has stopped")
}

impl Drop for Open {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}
