//! Connections that are refused without a place: each gets its answer, and may finish its request before it is closed.
//!
//! A socket that is closed while its peer still writes gives the peer a broken pipe in place of the answer. So what the
//! peer sends is read and dropped for a moment. That takes a descriptor, so few connections linger at once.

use std::collections::VecDeque;
use std::io;
use std::os::unix::net::UnixStream as Client;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use rustix::net::{RecvFlags, SendFlags, Shutdown, recv, send, shutdown};
use tokio::net::UnixStream;
use tokio::sync::Notify;
use tokio::time::{Instant, Sleep};

use crate::clock::from_now;
use crate::problem::Problem;

/// The most refused connections that linger at once.
pub const MAX_LINGERING: usize = 64;

/// How long a refused connection may linger.
const LINGER: Duration = Duration::from_millis(50);

/// How much a refused connection may send: more than the largest request.
const MOST: usize = 300 * 1024;

/// How much of one connection is read before others get a turn.
const AT_ONCE: usize = 16 * 1024;

/// The refused connections that have not ended yet, of all sockets.
#[derive(Debug)]
pub struct Refusals {
    lingering: Mutex<Lingering>,
    /// Notified when a connection begins to linger.
    more: Notify,
}

#[derive(Debug)]
struct Lingering {
    limit: usize,
    /// In the order of their deadlines.
    streams: VecDeque<Refused>,
    /// Whether a task reads from them.
    is_read: bool,
}

#[derive(Debug)]
struct Refused {
    stream: UnixStream,
    deadline: Instant,
    /// How much it may still send.
    left: usize,
}

/// What the reader does next.
#[derive(Debug, PartialEq, Eq)]
enum Next {
    /// It reads on after the others had their turn.
    Read,
    /// It waits, at most until then.
    Wait(Instant),
    /// It ends: no connection lingers.
    End,
}

// === impl Refusals ===

impl Refusals {
    /// At most `limit` connections linger at once.
    pub fn new(limit: usize) -> Arc<Self> {
        let lingering = Lingering {
            limit,
            streams: VecDeque::new(),
            is_read: false,
        };
        Arc::new(Self {
            lingering: Mutex::new(lingering),
            more: Notify::new(),
        })
    }

    /// Changes the limit for connections that are refused from now on.
    pub fn limit(&self, limit: usize) {
        self.lock().limit = limit;
    }

    /// Answers with `problem`, and closes the connection once the peer has sent its request. If too many linger, the
    /// oldest of them is closed at once.
    pub(super) fn refuse(self: &Arc<Self>, stream: Client, problem: &Problem) {
        // A few hundred bytes fit the socket's buffer, so this does not wait.
        let flags = SendFlags::NOSIGNAL | SendFlags::DONTWAIT;
        let answered = send(&stream, &answer(problem), flags)
            .and_then(|_| shutdown(&stream, Shutdown::Write))
            .and_then(|()| recv(&stream, &mut [0; 1_024], RecvFlags::DONTWAIT));
        match answered {
            Ok((_, 1..)) | Err(rustix::io::Errno::AGAIN) => {}
            // It has gone.
            Ok(_) | Err(_) => return,
        }
        // Where the event loop takes no more, it is closed at once.
        let Ok(stream) = UnixStream::from_std(stream) else {
            return;
        };
        let mut lingering = self.lock();
        while lingering.streams.len() >= lingering.limit.max(1) {
            lingering.streams.pop_front();
        }
        lingering.streams.push_back(Refused {
            stream,
            deadline: from_now(LINGER),
            left: MOST,
        });
        if std::mem::replace(&mut lingering.is_read, true) {
            self.more.notify_one();
        } else {
            tokio::spawn(Arc::clone(self).read());
        }
    }

    /// Reads from the connections that linger until there is none.
    async fn read(self: Arc<Self>) {
        let mut timer = std::pin::pin!(tokio::time::sleep(LINGER));
        loop {
            let mut more = std::pin::pin!(self.more.notified());
            let next = std::future::poll_fn(|cx| {
                let next = self.lock().poll(cx);
                let Next::Wait(deadline) = next else {
                    return Poll::Ready(next);
                };
                if more.as_mut().poll(cx).is_pending() {
                    ready!(wait(timer.as_mut(), deadline, cx));
                    self.lock().end(deadline);
                }
                Poll::Ready(Next::Read)
            });
            if next.await == Next::End {
                return;
            }
            tokio::task::yield_now().await;
        }
    }

    fn lock(&self) -> MutexGuard<'_, Lingering> {
        // It is never left half changed: no code that can panic runs under the lock.
        self.lingering
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }
}

fn wait(mut timer: std::pin::Pin<&mut Sleep>, until: Instant, cx: &mut Context<'_>) -> Poll<()> {
    if timer.deadline() != until {
        timer.as_mut().reset(until);
    }
    timer.poll(cx)
}

// === impl Lingering ===

impl Lingering {
    /// Reads a piece from each connection that has sent one, and closes those that are done.
    fn poll(&mut self, cx: &mut Context<'_>) -> Next {
        let mut reads_on = false;
        self.streams.retain_mut(|refused| match refused.poll(cx) {
            Poll::Pending => true,
            Poll::Ready(Ok(1..)) => {
                reads_on = true;
                true
            }
            Poll::Ready(_) => false,
        });
        match self.streams.front() {
            None => {
                self.is_read = false;
                Next::End
            }
            Some(_) if reads_on => Next::Read,
            Some(first) => Next::Wait(first.deadline),
        }
    }

    /// Closes those whose deadline has passed.
    fn end(&mut self, deadline: Instant) {
        self.streams.retain(|refused| refused.deadline > deadline);
    }
}

// === impl Refused ===

impl Refused {
    /// Reads a piece, and returns how much the peer may still send; nothing is left after its end.
    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<usize>> {
        loop {
            ready!(self.stream.poll_read_ready(cx))?;
            match self.stream.try_read(&mut [0; AT_ONCE]) {
                Ok(0) => return Poll::Ready(Ok(0)),
                Ok(n) => {
                    self.left = self.left.saturating_sub(n);
                    return Poll::Ready(Ok(self.left));
                }
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                Err(error) => return Poll::Ready(Err(error)),
            }
        }
    }
}

/// A response that carries a problem, with which the connection ends.
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
    use std::io::{Read as _, Write as _};

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

    /// All that came until the end.
    fn came(mut client: Client) -> String {
        let mut all = String::new();
        client.read_to_string(&mut all).unwrap();
        all
    }

    #[tokio::test]
    async fn a_large_request_is_taken_and_the_answer_is_there() {
        let refusals = Refusals::new(4);
        let mut client = refused(&refusals);
        let client = tokio::task::spawn_blocking(move || {
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
        assert!(!refusals.lock().is_read);
    }

    #[tokio::test]
    async fn a_client_that_stays_is_closed_after_50_ms() {
        let refusals = Refusals::new(4);
        let start = from_now(Duration::ZERO);
        let mut client = refused(&refusals);
        until_none(&refusals).await;
        assert!(start.elapsed() >= LINGER);
        let broken = client.write_all(b"late").unwrap_err();
        assert_eq!(broken.kind(), io::ErrorKind::BrokenPipe);
        assert!(came(client).starts_with("HTTP/1.1 403 "));
    }

    #[tokio::test]
    async fn one_that_never_ends_its_request_is_closed_in_time() {
        let refusals = Refusals::new(4);
        let mut client = refused(&refusals);
        let sent = tokio::task::spawn_blocking(move || {
            let mut sent = 0;
            while client.write_all(&[b'x'; 8_192]).is_ok() {
                sent += 8_192;
            }
            sent
        });
        // What the socket holds comes on top.
        assert!(sent.await.unwrap() < 4 * MOST);
        assert_eq!(count(&refusals), 0);
    }

    #[tokio::test]
    async fn the_oldest_is_closed_at_once_when_too_many_linger() {
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
    async fn a_peer_that_has_gone_does_not_linger() {
        let refusals = Refusals::new(3);
        let (ours, theirs) = Client::pair().unwrap();
        drop(theirs);
        refusals.refuse(ours, &Problem::new(Code::Forbidden));
        assert_eq!(count(&refusals), 0);
    }
}
