//! Accepts connections on one socket and answers their requests until the daemon stops.

use std::convert::Infallible;
use std::io;
use std::sync::Arc;
use std::time::Duration;

use hyper::body::{Body as _, Incoming};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Request, Response};
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::sync::oneshot;
use tokio::time::MissedTickBehavior;
use tracing::{debug, error, trace, warn};

use super::super::service::{Service, SocketKind};
use super::super::shutdown::Shutdown;
use super::acceptor::{Acceptor, SHUT_DOWN};
use super::at_once;
use super::body::AnswerBody;
use super::connection_progress::ConnectionProgress;
use super::connections::{ConnectionSlot, Connections, LeaveReason};
use super::faults::Faults;
use super::framing::Framing;
use super::hangups::HasPeer;
use super::intake::HeadBuffer;
use super::leaving;
use super::memory::Memory;
use super::refusal_log::RefusalLog;
use super::refusals::Refusals;
use super::respond;
use super::response;
use super::stream::TimedStream;
use super::waiting::TICK;
use crate::clock::from_now;
use crate::policy::Peer;

mod admission;

/// Buffer size for a request's line and headers. hyper answers 431 to longer ones.
const HEAD_BUFFER: usize = 16 * 1024;

/// Pause after an error such as EMFILE, which goes away only when other descriptors are closed.
const ACCEPT_REST: Duration = Duration::from_millis(50);

/// A timer that is set before those of new connections and fires before them. tokio wakes its own thread, by a system
/// call, for each timer that is earlier than all others; without this one, that is each connection's.
const EARLY: Duration = Duration::from_secs(1);

/// Total cost of the connections that are accepted before the open ones get a turn: 4 served ones, 16 refused ones, or
/// 64 that have to wait.
const AT_ONCE: u32 = 64;

/// What all connections of a socket share.
pub struct Server {
    /// The service that answers the requests.
    pub service: Arc<Service>,
    /// The open connections and their limits.
    pub connections: Arc<Connections>,
    /// The memory for bodies and unread answers.
    pub memory: Arc<Memory>,
    /// The refused connections that have not ended yet.
    pub refusals: Arc<Refusals>,
    /// The users whose refusal has been logged, so that they cannot fill the log.
    pub refused: RefusalLog,
}

impl Server {
    /// Accepts connections from `listener` until `shutdown` is ordered, then drains the server. Every connection,
    /// including those of other listeners, may finish its request within the grace period and is closed after that.
    /// Returns the number of closed connections once all have ended.
    ///
    /// `retired` completes when another listener has replaced this one. Then the connections in its backlog are still
    /// served and nothing is drained.
    pub async fn run(
        self: Arc<Self>,
        listener: Acceptor,
        door: SocketKind,
        retired: impl Future<Output = ()>,
        mut shutdown: Shutdown,
    ) -> usize {
        let mut retired = std::pin::pin!(retired);
        let (mut faults, mut is_retired) = (Faults::new(), false);
        let (mut accepted_at_once, mut is_dead) = (0, false);
        let mut ticks = tokio::time::interval(TICK);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut early = std::pin::pin!(tokio::time::sleep(EARLY));
        let mut is_early_set = false;
        loop {
            let is_ticking = !self.connections.waiting().is_quiet();
            let accepted = tokio::select! { biased;
                () = shutdown.ordered() => break,
                _ = ticks.tick(), if is_ticking => {
                    self.tick(door, &mut faults);
                    continue;
                }
                () = self.connections.hung_up() => continue,
                () = early.as_mut(), if is_early_set => {
                    is_early_set = false;
                    continue;
                }
                accepted = listener.accept(), if !is_dead => accepted,
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
                Ok(stream) => {
                    if faults.are_on() {
                        faults.tell_end(self.service.clock.now().boot);
                    }
                    if !is_early_set {
                        is_early_set = true;
                        early.as_mut().reset(from_now(EARLY));
                    }
                    accepted_at_once += self.receive(stream, door, &mut faults);
                    // Yielding also lets connections that must leave close their descriptors before the next accept.
                    while accepted_at_once >= AT_ONCE || self.connections.must_wait() {
                        accepted_at_once = 0;
                        tokio::task::yield_now().await;
                    }
                }
                // A process that shares the passed socket has shut it down for good.
                Err(error) if error.kind() == SHUT_DOWN => {
                    is_dead = true;
                    error!(%error, "this socket accepts no more connections; restart the .socket unit that it belongs to");
                }
                // The connection stays in the backlog.
                Err(error) => {
                    if faults.accept.occurred(self.service.clock.now().boot) {
                        warn!(%error, "cannot accept connections; waiting ones are served later");
                    }
                    let _ = tokio::time::timeout(ACCEPT_REST, shutdown.ordered()).await;
                }
            }
        }
        if is_retired {
            self.admit_waiting(door, &mut faults).await;
            self.empty(listener, door, faults, &shutdown).await;
            return 0;
        }
        drop(listener);
        // Close first, so that the connections that still wait get the same deadline for their first request.
        self.connections.close();
        self.admit_waiting(door, &mut faults).await;
        self.connections.drain(shutdown.grace()).await
    }

    /// Serves the connections in the backlog of a listener that no longer has a path.
    async fn empty(
        self: &Arc<Self>,
        listener: Acceptor,
        door: SocketKind,
        mut faults: Faults,
        shutdown: &Shutdown,
    ) {
        /// Number of retries without free descriptors. They take ten seconds in all.
        const TRIES: u32 = 200;
        let mut failed = 0;
        while failed < TRIES && !shutdown.is_ordered() {
            match listener.accept_now() {
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

    /// Answers the requests of one connection. It takes any stream, so that tests can use a paused clock, which real
    /// sockets do not follow.
    pub async fn connection<S: AsyncRead + AsyncWrite + HasPeer + Unpin>(
        self: Arc<Self>,
        stream: S,
        peer: Peer,
        door: SocketKind,
        place: ConnectionSlot,
        mut leave: oneshot::Receiver<LeaveReason>,
    ) {
        let pace = ConnectionProgress::of(&place);
        let account = self.memory.account(peer.caller.uid);
        let (server, place, peer, account) = (&self, &place, &peer, &account);
        let framing = Framing::default();
        let finish = |response: &mut Response<AnswerBody>, request: &Request<Incoming>| {
            if !response.status().is_server_error() {
                place.note_answer();
            }
            if framing.is_last() {
                response::close(response);
            }
            trace!(
                method = %request.method(),
                path = request.uri().path(),
                status = response.status().as_u16(),
                peer.uid = peer.caller.uid,
                peer.pid,
                "answered"
            );
        };
        let answer = service_fn(|mut request: Request<Incoming>| {
            let (service, finish, busy) = (&server.service, &finish, pace.busy());
            framing.expect_body(request.body().size_hint().exact());
            // Nearly every request is for a token that is held, and is answered here.
            let turn = place.count_request();
            let held = (turn.is_none() && service.admits(&peer.caller, door))
                .then(|| at_once::held(service, &peer.caller, door, &request));
            let answered = match held.flatten() {
                Some(reply) => {
                    let mut response = respond::with_held(reply, &mut request, busy);
                    finish(&mut response, &request);
                    Ok(response)
                }
                None => Err((request, busy)),
            };
            async move {
                let (mut request, busy) = match answered {
                    Ok(response) => return Ok::<_, Infallible>(response),
                    Err(rest) => rest,
                };
                // Box the future: inline, the state of a request would take memory in each of thousands of idle
                // connections.
                let answer = Box::pin(async move {
                    place.take_turn(turn).await;
                    let mut response = if service.admits(&peer.caller, door) {
                        respond::respond(service, account, peer, door, &mut request, busy).await
                    } else {
                        server.refused.log(peer);
                        response::turn_out(&service.roster.stranger(), service.clock.now(), busy)
                    };
                    finish(&mut response, &request);
                    response
                });
                Ok(answer.await)
            }
        });
        let stream = TimedStream::new(stream, pace.clone());
        let stream = TokioIo::new(HeadBuffer::new(
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
        // Poll the order to leave first. An answer that is made after a stop must say that the connection ends.
        let told = tokio::select! { biased;
            told = &mut leave => told,
            ended = connection.as_mut() => return log_end(&ended, peer),
        };
        // An error is impossible: the table keeps the sender while the connection has its place.
        let told = told.unwrap_or(LeaveReason::AtOnce);
        let end_when_idle = http1::Connection::graceful_shutdown;
        // Box the future: inline, state that only an ending connection needs would take memory in each of thousands.
        let end = leaving::end(connection, told, &pace, &framing, place, end_when_idle);
        if let Some(ended) = Box::pin(end).await {
            log_end(&ended, peer);
        }
    }
}

fn log_end(ended: &hyper::Result<()>, peer: &Peer) {
    if let Err(error) = ended {
        trace!(%error, peer.uid = peer.caller.uid, peer.pid, "connection ended");
    }
}

#[cfg(test)]
mod tests;
