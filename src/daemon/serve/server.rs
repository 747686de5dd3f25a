//! Accepts connections at one socket and answers their requests, until the daemon stops.

use std::collections::BTreeSet;
use std::convert::Infallible;
use std::io::{self, Write as _};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use hyper::Request;
use hyper::body::{Body as _, Incoming};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{UnixListener, UnixStream};
use tokio::sync::oneshot;
use tracing::{debug, info, trace, warn};

use super::super::service::{Door, Service};
use super::super::shutdown::Shutdown;
use super::connections::{Connections, Leave, Place};
use super::faults::Faults;
use super::framing::Framing;
use super::intake::Intake;
use super::memory::{self, Memory};
use super::peers;
use super::respond;
use super::response;
use super::stream::{Pace, Timed};
use crate::policy::Peer;
use crate::problem::{Code, Problem};

/// Buffer size for a request's line and headers; hyper answers 431 to longer ones.
const HEAD_BUFFER: usize = 16 * 1024;

/// How long accepting pauses after an error such as EMFILE, which goes away only when other descriptors are closed.
const ACCEPT_REST: Duration = Duration::from_millis(50);

/// What every connection needs.
pub struct Server {
    /// The service that answers the requests.
    pub service: Arc<Service>,
    /// The open connections and their caps.
    pub connections: Arc<Connections>,
    /// The memory for bodies and unread answers.
    pub memory: Arc<Memory>,
    /// The users whose refusal was logged already, so that no stranger can fill the log.
    pub refused: Mutex<BTreeSet<u32>>,
}

impl Server {
    /// Accepts connections of `listener` until `shutdown` is ordered, and then drains the server: every connection,
    /// including those of other listeners, may finish its request within the grace, and is closed after that. Returns
    /// when all have ended.
    ///
    /// When `retired` completes, because another listener has replaced this one, the connections in its backlog are
    /// still served, and nothing is drained. Returns the number of connections that were closed at the deadline.
    pub async fn run(
        self: Arc<Self>,
        listener: UnixListener,
        door: Door,
        retired: impl Future<Output = ()>,
        mut shutdown: Shutdown,
    ) -> usize {
        let mut retired = std::pin::pin!(retired);
        let (mut faults, mut is_retired) = (Faults::new(), false);
        loop {
            let accepted = tokio::select! { biased;
                () = shutdown.ordered() => break,
                accepted = listener.accept() => accepted,
                () = &mut retired => {
                    is_retired = true;
                    break;
                }
                () = faults.quiet() => {
                    faults.tell_end(self.service.clock.now().boot);
                    continue;
                }
            };
            match accepted {
                Ok((stream, _)) => {
                    if faults.are_on() {
                        faults.tell_end(self.service.clock.now().boot);
                    }
                    // Lets the connection that has to leave close its descriptor before the next accept.
                    if self.admit(stream, door, &mut faults) == Admitted::InPlaceOfAnother {
                        tokio::task::yield_now().await;
                    }
                }
                // The connection stays in the backlog.
                Err(error) => {
                    if faults.accept.came(self.service.clock.now().boot) {
                        warn!(%error, "cannot accept connections; waiting ones are served later");
                    }
                    let stopped = shutdown.ordered();
                    let _: Result<(), _> = tokio::time::timeout(ACCEPT_REST, stopped).await;
                }
            }
        }
        if is_retired {
            self.empty(listener, door, faults, &shutdown).await;
            return 0;
        }
        drop(listener);
        self.connections.drain(shutdown.grace()).await
    }

    /// Serves the connections in the backlog of a listener that no longer has a path.
    async fn empty(
        self: &Arc<Self>,
        listener: UnixListener,
        door: Door,
        mut faults: Faults,
        shutdown: &Shutdown,
    ) {
        /// Number of retries without free descriptors: ten seconds in all.
        const TRIES: u32 = 200;
        let Ok(listener) = listener.into_std() else {
            return;
        };
        let mut failed = 0;
        while failed < TRIES && !shutdown.is_ordered() {
            let accepted = listener.accept().and_then(|(stream, _)| {
                stream.set_nonblocking(true)?;
                UnixStream::from_std(stream)
            });
            match accepted {
                Ok(stream) => {
                    self.admit(stream, door, &mut faults);
                    tokio::task::yield_now().await;
                }
                Err(e) if e.kind() == io::ErrorKind::WouldBlock => return,
                Err(error) => {
                    debug!(%error, "accept failed");
                    failed += 1;
                    tokio::time::sleep(ACCEPT_REST).await;
                }
            }
        }
    }

    /// Logs the first refusal of each user only.
    fn log_refusal(&self, peer: &Peer) {
        const REMEMBERED: usize = 1_024;
        let mut refused = self.refused.lock().unwrap_or_else(PoisonError::into_inner);
        if refused.len() < REMEMBERED && refused.insert(peer.caller.uid) {
            info!(
                peer.uid = peer.caller.uid,
                peer.pid,
                "refused: not the daemon's user, and no rule allows it; further refusals of it are logged at debug"
            );
        } else {
            debug!(
                peer.uid = peer.caller.uid,
                peer.pid, "refused: not the daemon's user, and no rule allows it"
            );
        }
    }

    fn admit(self: &Arc<Self>, stream: UnixStream, door: Door, faults: &mut Faults) -> Admitted {
        let peer = match peers::of(&stream, self.service.roster.gate()) {
            Ok(peer) => peer,
            Err(error) => {
                if faults.unknown.came(self.service.clock.now().boot) {
                    warn!(%error, "refused: the kernel does not say who it is");
                }
                return Admitted::No;
            }
        };
        let Some((place, leave)) = self.connections.admit(peer.caller.uid) else {
            if faults.full.came(self.service.clock.now().boot) {
                warn!(
                    peer.uid = peer.caller.uid,
                    "refused: this user, or all users together, have as many connections as there may be"
                );
            } else {
                debug!(peer.uid = peer.caller.uid, "refused: too many connections");
            }
            // The peer may be gone already.
            let _: io::Result<()> = turn_away(stream);
            return Admitted::No;
        };
        memory::limit_send_buffer(&stream);
        let admitted = if place.made_room() {
            Admitted::InPlaceOfAnother
        } else {
            Admitted::Yes
        };
        tokio::spawn(Arc::clone(self).connection(stream, peer, door, place, leave));
        admitted
    }

    /// Answers the requests of one connection. It takes any stream, so that tests can run its timers, and simulate
    /// whole daemons, on a paused clock, which real sockets do not follow.
    pub async fn connection<S: AsyncRead + AsyncWrite + Unpin>(
        self: Arc<Self>,
        stream: S,
        peer: Peer,
        door: Door,
        place: Place,
        mut leave: oneshot::Receiver<Leave>,
    ) {
        let pace = Pace::default();
        let account = self.memory.account(peer.caller.uid);
        let (server, place, peer, account) = (&self, &place, &peer, &account);
        let framing = Framing::default();
        let answer = service_fn(|mut request: Request<Incoming>| {
            let busy = pace.busy();
            let framing = &framing;
            framing.expect_body(request.body().size_hint().exact());
            place.established();
            async move {
                let service = &server.service;
                let mut response = if service.admits(&peer.caller, door) {
                    respond::respond(service, account, peer, door, &mut request, busy).await
                } else {
                    server.log_refusal(peer);
                    response::turn_out(&service.roster.stranger(), service.clock.now(), busy)
                };
                if framing.is_last() {
                    response::close(&mut response);
                }
                trace!(
                    method = %request.method(),
                    path = request.uri().path(),
                    status = response.status().as_u16(),
                    peer.uid = peer.caller.uid,
                    peer.pid,
                    "answered"
                );
                Ok::<_, Infallible>(response)
            }
        });
        let stream = Timed::new(stream, pace.clone());
        let stream = TokioIo::new(Intake::new(
            stream,
            account.clone(),
            framing.clone(),
            HEAD_BUFFER,
        ));
        let connection = http1::Builder::new()
            .timer(TokioTimer::new())
            .header_read_timeout(None)
            .max_buf_size(HEAD_BUFFER)
            .half_close(true)
            .serve_connection(stream, answer);
        let mut connection = std::pin::pin!(connection);
        let told = tokio::select! { biased;
            ended = connection.as_mut() => return log_end(&ended, peer),
            told = &mut leave => told,
        };
        // An error cannot occur: the table keeps the sender for as long as the connection has its place.
        if told != Ok(Leave::AfterThis) {
            return;
        }
        if !framing.end_after_next() {
            connection.as_mut().graceful_shutdown();
        }
        tokio::select! { biased;
            ended = connection.as_mut() => log_end(&ended, peer),
            () = place.overdue() => {}
        }
    }
}

fn log_end(ended: &hyper::Result<()>, peer: &Peer) {
    if let Err(error) = ended {
        trace!(%error, peer.uid = peer.caller.uid, peer.pid, "connection ended");
    }
}

/// Outcome of admitting a connection.
#[derive(Debug, PartialEq, Eq)]
enum Admitted {
    Yes,
    /// Yes, and another connection has to leave for it.
    InPlaceOfAnother,
    No,
}

/// Answers 503 and closes, at once and without reading anything: a task for it would hold a descriptor that the caps do
/// not count.
fn turn_away(stream: UnixStream) -> io::Result<()> {
    let problem =
        Problem::new(Code::Unavailable).with_detail("the daemon has too many connections");
    let body = problem.to_json();
    let head = format!(
        "HTTP/1.1 503 Service Unavailable\r\nContent-Type: application/problem+json\r\nContent-Length: {}\r\n\
         Cache-Control: no-store\r\nRetry-After: 1\r\nConnection: close\r\n\r\n",
        body.len()
    );
    // A few hundred bytes fit the socket's buffer, so this does not wait.
    stream
        .into_std()?
        .write_all(&[head.as_bytes(), &body].concat())
}

#[cfg(test)]
mod tests;
