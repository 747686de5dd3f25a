//! Keeps refused connections until they end, without a place. Each gets its answer, and may finish its request before
//! it is closed.
//!
//! If a socket is closed while its peer still writes, the peer gets a broken pipe instead of the answer. So the daemon
//! reads and drops what the peer sends for a moment. That occupies a descriptor, so only a few connections linger at
//! once.
//!
//! A refusal must cost less than the peer's next connection. So these sockets are not registered with the event loop:
//! every few milliseconds, all of them are polled.

use std::collections::VecDeque;
use std::os::unix::net::UnixStream;
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::Duration;

use rustix::net::{RecvFlags, SendFlags, Shutdown, recv, send, shutdown};

use crate::problem::Problem;

/// Maximum number of refused connections that linger at once.
pub const MAX_LINGERING: usize = 64;

/// Interval of the polls.
const TICK: Duration = Duration::from_millis(5);

/// The poll at which a refused connection is closed. With late timers included, that is within 50 ms.
const LOOKS: u32 = 8;

/// Bytes that one poll reads from a connection.
const AT_ONCE: usize = 64 * 1024;

/// The refused connections of all sockets that have not ended yet.
#[derive(Debug)]
pub struct Refusals {
    lingering: Mutex<Lingering>,
    /// The answer to users that may not use anything. It is always the same.
    forbidden: OnceLock<Vec<u8>>,
}

#[derive(Debug)]
struct Lingering {
    limit: usize,
    /// Oldest first.
    streams: VecDeque<Refused>,
    /// Whether a task polls them.
    is_looked_at: bool,
}

#[derive(Debug)]
struct Refused {
    stream: UnixStream,
    looks: u32,
}

// === impl Refusals ===

impl Refusals {
    /// Creates an empty set in which at most `limit` connections linger at once.
    pub fn new(limit: usize) -> Arc<Self> {
        let lingering = Lingering {
            limit,
            streams: VecDeque::new(),
            is_looked_at: false,
        };
        Arc::new(Self {
            lingering: Mutex::new(lingering),
            forbidden: OnceLock::new(),
        })
    }

    /// Changes the limit for later refusals.
    pub fn limit(&self, limit: usize) {
        self.lock().limit = limit;
    }

    /// Refuses the connection of a user that may not use anything. `problem` must be the same for all of them.
    pub(super) fn forbid(self: &Arc<Self>, stream: UnixStream, problem: impl FnOnce() -> Problem) {
        let answer = self.forbidden.get_or_init(|| answer(&problem()));
        self.send(stream, answer);
    }

    /// Answers with `problem`, and closes the connection once the peer has sent its request.
    pub(super) fn refuse(self: &Arc<Self>, stream: UnixStream, problem: &Problem) {
        self.send(stream, &answer(problem));
    }

    /// Sends an answer on a non-blocking stream. If too many connections linger, closes the oldest one at once.
    fn send(self: &Arc<Self>, stream: UnixStream, answer: &[u8]) {
        // A few hundred bytes fit into the socket's buffer, so this does not block.
        let flags = SendFlags::NOSIGNAL | SendFlags::DONTWAIT;
        let sent = send(&stream, answer, flags).and_then(|_| shutdown(&stream, Shutdown::Write));
        if sent.is_err() {
            // The peer has gone away.
            return;
        }
        let mut lingering = self.lock();
        while lingering.streams.len() >= lingering.limit.max(1) {
            lingering.streams.pop_front();
        }
        lingering.streams.push_back(Refused { stream, looks: 0 });
        if !std::mem::replace(&mut lingering.is_looked_at, true) {
            tokio::spawn(Arc::clone(self).look());
        }
    }

    /// Polls the lingering connections until all of them have ended.
    async fn look(self: Arc<Self>) {
        loop {
            tokio::time::sleep(TICK).await;
            let mut lingering = self.lock();
            lingering.streams.retain_mut(Refused::goes_on);
            if lingering.streams.is_empty() {
                lingering.is_looked_at = false;
                return;
            }
        }
    }

    fn lock(&self) -> MutexGuard<'_, Lingering> {
        // Ignore poisoning: no code that can panic runs under the lock, so the state is always consistent.
        self.lingering
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }
}

// === impl Refused ===

impl Refused {
    /// Reads and drops what the peer has sent. Returns whether the connection still lingers.
    fn goes_on(&mut self) -> bool {
        self.looks += 1;
        if self.looks >= LOOKS {
            return false;
        }
        let mut piece = [0; 4 * 1024];
        for _ in 0..AT_ONCE / piece.len() {
            match recv(&self.stream, &mut piece, RecvFlags::DONTWAIT) {
                Ok((_, 1..)) => {}
                Err(rustix::io::Errno::AGAIN) => return true,
                // The peer has sent everything or has gone away.
                Ok(_) | Err(_) => return false,
            }
        }
        true
    }
}

/// Formats a response with a problem that closes the connection.
fn answer(problem: &Problem) -> Vec<u8> {
    let row = problem.code.row();
    let (reason, retry) = match row.status {
        503 => ("Service Unavailable", "Retry-After: 1\r\n"),
        _ => ("Forbidden", ""),
    };
    let body = problem.to_json();
    let head = format!(
        "HTTP/1.1 {} {reason}\r\nContent-Type: application/problem+json\r\nContent-Length: {}\r\n\
         Cache-Control: no-store\r\n{retry}Connection: close\r\n\r\n",
        row.status,
        body.len()
    );
    [head.as_bytes(), &body].concat()
}

#[cfg(test)]
mod tests {
    use std::io::{self, Read as _, Write as _};
    use std::os::unix::net::UnixStream as Client;

    use super::*;
    use crate::problem::Code;

    fn refused(refusals: &Arc<Refusals>) -> Client {
        let (ours, theirs) = Client::pair().unwrap();
        ours.set_nonblocking(true).unwrap();
        refusals.refuse(ours, &Problem::new(Code::Forbidden));
        theirs
    }

    fn count(refusals: &Refusals) -> usize {
        refusals.lock().streams.len()
    }

    async fn until_none(refusals: &Refusals) {
        while count(refusals) > 0 {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    }

    /// Returns all bytes until the end of the connection.
    fn came(mut client: Client) -> String {
        let mut all = String::new();
        client.read_to_string(&mut all).unwrap();
        all
    }

    #[tokio::test]
    async fn a_refused_client_gets_its_answer_after_a_large_request() {
        let refusals = Refusals::new(4);
        let mut client = refused(&refusals);
        let client = crate::offload::run(move || {
            client.write_all(&[b'x'; 262_144]).unwrap();
            client
        });
        let client = client.await.unwrap();
        assert_eq!(count(&refusals), 1, "it has not ended its request");
        let all = came(client);
        assert!(all.starts_with("HTTP/1.1 403 Forbidden\r\n"), "{all}");
        assert!(all.contains("Connection: close\r\n"), "{all}");
        assert!(all.contains("\"code\":\"forbidden\""), "{all}");
        until_none(&refusals).await;
        assert!(!refusals.lock().is_looked_at);
    }

    #[tokio::test]
    async fn a_refused_client_that_stays_connected_is_closed_soon() {
        let refusals = Refusals::new(4);
        let start = crate::clock::from_now(Duration::ZERO);
        let mut client = refused(&refusals);
        until_none(&refusals).await;
        assert!(start.elapsed() >= TICK * LOOKS);
        let broken = client.write_all(b"late").unwrap_err();
        assert_eq!(broken.kind(), io::ErrorKind::BrokenPipe);
        assert!(came(client).starts_with("HTTP/1.1 403 "));
    }

    #[tokio::test]
    async fn a_refused_client_whose_request_never_ends_is_closed() {
        let refusals = Refusals::new(4);
        let mut client = refused(&refusals);
        let sent = crate::offload::run(move || {
            let mut sent = 0;
            while client.write_all(&[b'x'; 8_192]).is_ok() {
                sent += 8_192;
            }
            sent
        });
        // The peer can also have written what the socket's buffer holds.
        assert!(sent.await.unwrap() < 2 * LOOKS as usize * AT_ONCE);
        assert_eq!(count(&refusals), 0);
    }

    #[tokio::test]
    async fn the_oldest_refused_connection_is_closed_when_too_many_linger() {
        let refusals = Refusals::new(3);
        let mut clients: Vec<_> = (0..5).map(|_| refused(&refusals)).collect();
        assert_eq!(count(&refusals), 3);
        let lingers = clients
            .iter_mut()
            .map(|client| client.write_all(b"x").is_ok());
        let lingers: Vec<_> = lingers.collect();
        assert_eq!(lingers, [false, false, true, true, true]);
        drop(clients);
        until_none(&refusals).await;
    }

    #[tokio::test]
    async fn a_refused_peer_that_has_closed_does_not_linger() {
        let refusals = Refusals::new(3);
        let (ours, theirs) = Client::pair().unwrap();
        drop(theirs);
        refusals.refuse(ours, &Problem::new(Code::Forbidden));
        assert_eq!(count(&refusals), 0);
    }
}
