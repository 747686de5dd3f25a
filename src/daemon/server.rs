//! Accepts connections at one socket and answers their requests, until it is told to stop.

use std::collections::BTreeSet;
use std::convert::Infallible;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt};
use tokio::net::{UnixListener, UnixStream};
use tokio::sync::{oneshot, watch};
use tracing::{debug, info, trace, warn};

use super::connections::{Connections, Leave, Place};
use super::http;
use super::peers::Peer;
use super::respond;
use super::service::{Door, Service};
use super::stream::{Pace, Timed};
use crate::problem::{Code, Problem};

/// The room for a request's line and headers; hyper answers 431 to more.
const HEAD_BUFFER: usize = 16 * 1024;

/// How long accepting rests after an error such as EMFILE, which goes away only when others close something.
const ACCEPT_REST: Duration = Duration::from_millis(50);

/// What every connection needs.
pub struct Server {
    /// What can be asked.
    pub service: Arc<Service>,
    /// How many may.
    pub connections: Arc<Connections>,
    /// The users that were refused already, so that no stranger can fill the log.
    pub refused: Mutex<BTreeSet<u32>>,
}

impl Server {
    /// Serves `listener` until `closing` is true; connections then finish the request they are at. They have all ended
    /// when the service, which each of them holds, is gone.
    pub async fn run(
        self: Arc<Self>,
        listener: UnixListener,
        door: Door,
        mut closing: watch::Receiver<bool>,
    ) {
        loop {
            let accepted = tokio::select! { biased;
                _ = closing.wait_for(|closing| *closing) => break,
                accepted = listener.accept() => accepted,
            };
            match accepted {
                Ok((stream, _)) => self.admit(stream, door),
                Err(error) => {
                    warn!(%error, "accept failed");
                    tokio::time::sleep(ACCEPT_REST).await;
                }
            }
        }
        self.connections.close();
    }

    /// The first refusal of a user is news; the others are not.
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

    fn admit(self: &Arc<Self>, stream: UnixStream, door: Door) {
        let peer = match Peer::of(&stream, self.service.roster.gate()) {
            Ok(peer) => peer,
            Err(error) => {
                warn!(%error, "refused: the kernel does not say who it is");
                return;
            }
        };
        let Some((place, leave)) = self.connections.admit(peer.caller.uid) else {
            debug!(peer.uid = peer.caller.uid, "refused: too many connections");
            tokio::spawn(turn_away(stream));
            return;
        };
        tokio::spawn(Arc::clone(self).connection(stream, peer, door, place, leave));
    }

    /// Answers the requests of one connection. It takes any stream, so that its timers can be tested and whole daemons
    /// simulated on a paused clock, which real sockets do not know of.
    pub async fn connection<S: AsyncRead + AsyncWrite + Unpin>(
        self: Arc<Self>,
        stream: S,
        peer: Peer,
        door: Door,
        place: Place,
        mut leave: oneshot::Receiver<Leave>,
    ) {
        let pace = Pace::default();
        let (server, place, peer) = (&self, &place, &peer);
        let answer = service_fn(|mut request| {
            let busy = pace.busy();
            place.established();
            async move {
                let service = &server.service;
                let response = if service.admits(&peer.caller, door) {
                    respond::respond(service, &peer.caller, door, &mut request, busy).await
                } else {
                    server.log_refusal(peer);
                    http::turn_out(service.clock.now(), busy)
                };
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
        let stream = TokioIo::new(Timed::new(stream, pace.clone()));
        let connection = http1::Builder::new()
            .timer(TokioTimer::new())
            .header_read_timeout(None)
            .max_buf_size(HEAD_BUFFER)
            .half_close(true)
            .serve_connection(stream, answer);
        let mut connection = std::pin::pin!(connection);
        let mut is_last = false;
        loop {
            tokio::select! { biased;
                ended = connection.as_mut() => {
                    if let Err(error) = ended {
                        trace!(%error, peer.uid = peer.caller.uid, peer.pid, "connection ended");
                    }
                    return;
                }
                leave = &mut leave, if !is_last => match leave {
                    Ok(Leave::AfterThis) => {
                        is_last = true;
                        connection.as_mut().graceful_shutdown();
                    }
                    // It is not forgotten while it has its place.
                    Ok(Leave::AtOnce) | Err(_) => return,
                }
            }
        }
    }
}

/// Says 503 and closes: without reading a word, since there is no place to wait in.
async fn turn_away(mut stream: UnixStream) {
    let problem =
        Problem::new(Code::Unavailable).with_detail("the daemon has too many connections");
    let body = problem.to_json();
    let head = format!(
        "HTTP/1.1 503 Service Unavailable\r\nContent-Type: application/problem+json\r\nContent-Length: {}\r\n\
         Cache-Control: no-store\r\nRetry-After: 1\r\nConnection: close\r\n\r\n",
        body.len()
    );
    let bytes = [head.as_bytes(), &body].concat();
    // A few hundred bytes fit the socket's buffer, so this ends at once; a peer that is gone is no matter.
    let _: Result<_, _> = tokio::time::timeout(ACCEPT_REST, stream.write_all(&bytes)).await;
}

#[cfg(test)]
mod tests;
