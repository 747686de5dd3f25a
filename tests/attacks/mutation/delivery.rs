//! Ways to send a request and to read its answer.

use std::io::{ErrorKind, Read as _, Write as _};
use std::net::Shutdown;
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::time::{Duration, Instant};

use super::dice::RandomChoices;
use super::wait;

/// A way to send a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Delivery {
    /// All at once, and then end of input.
    Whole,
    /// In pieces, and then end of input.
    Pieces,
    /// All at once, and the connection stays open.
    Held,
    /// All at once, and the connection is closed before the answer.
    Gone,
}

/// The received answer.
pub(super) struct Received {
    pub(super) bytes: Vec<u8>,
    /// The time from the last byte of the request to the end of the answer.
    pub(super) took: Duration,
    /// Whether the daemon neither answered nor closed the connection.
    pub(super) hangs: bool,
}

/// A longer answer is endless or a fault.
const MOST: usize = 1 << 20;

impl Delivery {
    pub(super) fn any(dice: &mut RandomChoices) -> Self {
        match dice.below(200) {
            0 => Self::Held,
            1..10 => Self::Gone,
            10..30 => Self::Pieces,
            _ => Self::Whole,
        }
    }

    /// Returns how long the daemon may wait for the rest of a request, in addition to the requested wait.
    pub(super) const fn wait(self) -> Duration {
        match self {
            Self::Held => wait::REST,
            _ => Duration::ZERO,
        }
    }

    /// Sends these bytes and receives the answers until the daemon closes the connection. If the connection is kept
    /// open, or an answer has no end, stops after the first answer.
    pub(super) fn send(
        self,
        socket: &Path,
        bytes: &[u8],
        patience: Duration,
        dice: &mut RandomChoices,
    ) -> Received {
        let mut stream = UnixStream::connect(socket).unwrap();
        stream.set_read_timeout(Some(patience)).unwrap();
        stream.set_write_timeout(Some(patience)).unwrap();
        let mut pieces = vec![bytes];
        while self == Self::Pieces && pieces.len() < 8 {
            let last = pieces.pop().unwrap();
            let (a, b) = last.split_at(dice.below(last.len() + 1));
            pieces.extend([a, b]);
        }
        for piece in pieces {
            // If the daemon refuses a request because of its head, it may not read the rest.
            if stream.write_all(piece).is_err() {
                break;
            }
            std::thread::yield_now();
        }
        let start = Instant::now();
        let mut received = Received {
            bytes: vec![],
            took: Duration::ZERO,
            hangs: false,
        };
        if self == Self::Gone {
            return received;
        }
        if self != Self::Held {
            let _ = stream.shutdown(Shutdown::Write);
        }
        let mut buffer = vec![0; 64 * 1024];
        while received.bytes.len() < MOST {
            match stream.read(&mut buffer) {
                Ok(0) => break,
                Ok(n) => received.bytes.extend_from_slice(&buffer[..n]),
                Err(error) if error.kind() == ErrorKind::WouldBlock => {
                    received.hangs = true;
                    break;
                }
                // The daemon closes a connection with unread data.
                Err(_) => break,
            }
            let extent = extent(&received.bytes);
            let is_head = bytes.starts_with(b"HEAD") && extent == Extent::Partial;
            let is_whole = extent == Extent::Whole || is_head;
            if extent == Extent::Endless || self == Self::Held && is_whole {
                break;
            }
        }
        received.took = start.elapsed();
        received
    }
}

#[derive(Debug, PartialEq, Eq)]
enum Extent {
    Partial,
    Whole,
    Endless,
}

/// Returns whether the answers are complete, as far as can be seen, or whether one of them has no end.
fn extent(mut bytes: &[u8]) -> Extent {
    while !bytes.is_empty() {
        let Some(head) = bytes.windows(4).position(|four| four == b"\r\n\r\n") else {
            return Extent::Partial;
        };
        let (head, rest) = bytes.split_at(head + 4);
        let text = String::from_utf8_lossy(head).to_ascii_lowercase();
        bytes = match stated_length(&text) {
            // An answer to HEAD, which has no body.
            _ if rest.starts_with(b"HTTP/1.") => rest,
            Some(length) if length <= rest.len() => &rest[length..],
            Some(_) => return Extent::Partial,
            None if text.starts_with("http/1.1 100 ") => rest,
            None => return Extent::Endless,
        };
        if bytes.is_empty() {
            return Extent::Whole;
        }
    }
    Extent::Partial
}

/// Returns the length in a head, which must be in lower case.
pub(super) fn stated_length(head: &str) -> Option<usize> {
    let mut lines = head.split("\r\n");
    let stated = lines.find_map(|line| line.strip_prefix("content-length: "));
    stated.and_then(|length| length.parse().ok())
}
