//! The client that loads the servers.

use std::io::{ErrorKind, Read as _, Write as _};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

const CONNECTIONS: usize = 8;

/// The rate of the open loop, in requests per second.
pub(crate) const PER_SECOND: u32 = 5_000;

/// A request on a connection that is kept.
pub(crate) const REQUEST: &[u8] =
    b"GET /v1/profiles/bench/token HTTP/1.1\r\nHost: localhost\r\n\r\n";

/// The only request of a connection.
pub(crate) const LAST_REQUEST: &[u8] =
    b"GET /v1/profiles/bench/token HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n";

/// What the client does with a connection after a reply.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Connections {
    Kept,
    /// It opens a new one for each request, and counts a reply when the server has closed.
    New,
}

/// Eight connections, each with at most one pending request. The client never sleeps: waking it would be work for the
/// server, and it would wake late.
pub(crate) struct Client {
    connections: Vec<Connection>,
    how: Connections,
    socket: PathBuf,
    pub(crate) sent: u64,
    pub(crate) failed: u64,
}

struct Connection {
    /// The connection; `None` before the first request and after the last one.
    stream: Option<UnixStream>,
    answer: Vec<u8>,
    /// When the pending request was due.
    due: Option<Instant>,
}

impl Client {
    pub(crate) fn new(socket: &Path, how: Connections) -> Self {
        let connection = || Connection {
            stream: None,
            answer: Vec::with_capacity(8192),
            due: None,
        };
        Self {
            connections: (0..CONNECTIONS).map(|_| connection()).collect(),
            how,
            socket: socket.to_owned(),
            sent: 0,
            failed: 0,
        }
    }

    /// Keeps every connection busy for this long; returns the number of replies.
    pub(crate) fn as_fast_as_possible(&mut self, time: Duration) -> u32 {
        let start = Instant::now();
        let (mut sending, mut answers) = (true, 0);
        for n in 0..CONNECTIONS {
            self.send(n, start);
        }
        while self.connections.iter().any(|c| c.due.is_some()) {
            for n in 0..CONNECTIONS {
                if self.has_come(n).is_some() {
                    answers += 1;
                    if sending {
                        self.send(n, start);
                    }
                }
            }
            sending = sending && start.elapsed() < time;
        }
        answers
    }

    /// Sends requests at an even rate, whatever comes back, and adds the time from each request's due time to its
    /// reply.
    pub(crate) fn at_a_rate(&mut self, time: Duration, times: &mut Vec<Duration>) {
        let start = Instant::now();
        let requests = PER_SECOND * u32::try_from(time.as_millis()).unwrap() / 1000;
        let (mut sent, mut answered) = (0, 0);
        while answered < requests {
            let due = start + Duration::from_secs(1) * sent / PER_SECOND;
            if sent < requests && Instant::now() >= due {
                let free = self.connections.iter().position(|c| c.due.is_none());
                if let Some(n) = free {
                    self.send(n, due);
                    sent += 1;
                }
            }
            for n in 0..CONNECTIONS {
                if let Some(due) = self.has_come(n) {
                    times.push(due.elapsed());
                    answered += 1;
                }
            }
        }
    }

    fn send(&mut self, n: usize, due: Instant) {
        let connection = &mut self.connections[n];
        self.sent += 1;
        connection.due = Some(due);
        connection.answer.clear();
        let request = match self.how {
            Connections::Kept => REQUEST,
            Connections::New => LAST_REQUEST,
        };
        let socket = &self.socket;
        let stream = connection.stream.get_or_insert_with(|| {
            let stream = UnixStream::connect(socket).unwrap();
            stream.set_nonblocking(true).unwrap();
            stream
        });
        // A closed connection is detected when its reply is read.
        let _ = stream.write_all(request);
    }

    /// Returns when the request that has just ended, successfully or not, was due.
    fn has_come(&mut self, n: usize) -> Option<Instant> {
        let connection = &mut self.connections[n];
        connection.due?;
        let mut buffer = [0; 8192];
        let read = connection.stream.as_mut()?.read(&mut buffer);
        let has_ended = match read {
            Err(error) if error.kind() == ErrorKind::WouldBlock => return None,
            Err(_) | Ok(0) => true,
            Ok(n) => {
                connection.answer.extend_from_slice(&buffer[..n]);
                false
            }
        };
        let length = connection.answer.len();
        let has_failed = match extent(&connection.answer) {
            None => true,
            Some(Some((head, body))) if length >= head + body => {
                // The server closes a new connection after the reply, and keeps the others.
                if length == head + body && self.how == Connections::New && !has_ended {
                    return None;
                }
                length > head + body || has_ended != (self.how == Connections::New)
            }
            Some(_) if has_ended => true,
            Some(_) => return None,
        };
        if has_failed {
            let shown = String::from_utf8_lossy(&connection.answer);
            println!("FAILED: {:?}", shown.lines().next());
            self.failed += 1;
        }
        if has_failed || has_ended {
            connection.stream = None;
        }
        connection.due.take()
    }
}

/// Returns the lengths of a reply's head and body: `None` unless it is a 200 with a length, `Some(None)` while its head
/// is incomplete.
pub(crate) fn extent(answer: &[u8]) -> Option<Option<(usize, usize)>> {
    const OK: &[u8] = b"HTTP/1.1 200 OK\r\n";
    const LENGTH: &[u8] = b"\r\ncontent-length: ";
    let known = answer.len().min(OK.len());
    if answer[..known] != OK[..known] {
        return None;
    }
    let Some(end) = answer.windows(4).position(|four| four == b"\r\n\r\n") else {
        return Some(None);
    };
    let at = answer[..end]
        .windows(LENGTH.len())
        .position(|window| window.eq_ignore_ascii_case(LENGTH))?;
    let digits = answer[at + LENGTH.len()..end]
        .split(|byte| *byte == b'\r')
        .next()?;
    let length = std::str::from_utf8(digits).ok()?.parse().ok()?;
    Some(Some((end + 4, length)))
}
