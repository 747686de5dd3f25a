//! Answers that are written to the connection byte by byte, because HTTP libraries do not allow faults in them.

use std::io;
use std::time::Duration;

use hyper::body::Bytes;
use hyper::header::DATE;
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio_rustls::server::TlsStream;

use super::answer::Answer;
use super::fault::Fault;
use super::moment::Moment;

/// The maximum length of an endless answer, in bytes.
const FLOOD_LEN: usize = 1 << 30;

/// The shortest possible interim answer (RFC 8297): the number of them is what costs a client.
const EARLY_HINTS: &[u8] = b"HTTP/1.1 103 Early Hints\r\n\r\n";

/// A connection, encrypted or not.
pub(super) trait Connection: AsyncRead + AsyncWrite + Unpin {
    /// Returns the underlying TCP connection.
    fn tcp(&self) -> &TcpStream;
}

/// The way in which an answer is delivered.
#[derive(Debug)]
pub(super) enum Delivery {
    /// At once, by the HTTP library.
    Whole(Answer),
    /// After a delay, by the HTTP library.
    Late(Duration, Answer),
    /// Byte by byte, without the HTTP library.
    Raw(Script),
}

/// The bytes of an answer, and what happens after them.
#[derive(Debug)]
pub(super) struct Script {
    bytes: Vec<u8>,
    /// The pause before each byte; `None` writes them at once.
    pace: Option<Duration>,
    end: End,
}

#[derive(Debug)]
enum End {
    /// An ordinary end of the connection.
    Close,
    /// Silence until the client disconnects.
    Silence,
    /// An abortive end: RST.
    Reset,
    /// A gibibyte of the same letter, unless the client disconnects earlier.
    Flood,
    /// Interim answers until the client disconnects.
    EarlyHints,
}

// === impl Connection ===

impl Connection for TcpStream {
    fn tcp(&self) -> &TcpStream {
        self
    }
}

impl Connection for TlsStream<TcpStream> {
    fn tcp(&self) -> &TcpStream {
        self.get_ref().0
    }
}

// === impl Delivery ===

impl Delivery {
    /// Chooses how `answer` is delivered during `fault`.
    pub(super) fn of(fault: Option<&Fault>, mut answer: Answer, now: Moment) -> Self {
        match fault {
            Some(Fault::Slow(delay)) => Self::Late(*delay, answer),
            Some(Fault::Hang) => Self::silence(),
            Some(Fault::HangHeaders) => Self::raw(encode(&answer, now, BreakPoint::Head), End::Silence),
            Some(Fault::HangBody) => Self::raw(encode(&answer, now, BreakPoint::Body), End::Silence),
            Some(Fault::Reset) => Self::raw(encode(&answer, now, BreakPoint::Body), End::Reset),
            Some(Fault::ResetEarly) => Self::raw(Vec::new(), End::Reset),
            Some(Fault::Swallow) => Self::raw(Vec::new(), End::Close),
            Some(Fault::Drip(pace)) => Self::Raw(Script {
                bytes: encode(&answer, now, BreakPoint::Nothing),
                pace: Some(*pace),
                end: End::Close,
            }),
            Some(Fault::Huge) => Self::raw(
                b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nConnection: close\r\n\r\n{\"access_token\":\""
                    .to_vec(),
                End::Flood,
            ),
            Some(Fault::EarlyHints) => Self::raw(Vec::new(), End::EarlyHints),
            Some(Fault::Truncated) => {
                let half = answer.body().len() / 2;
                *answer.body_mut() = answer.body().slice(..half);
                Self::Whole(answer)
            }
            _ => Self::Whole(answer),
        }
    }

    /// Leaves the request unanswered.
    pub(super) fn silence() -> Self {
        Self::raw(Vec::new(), End::Silence)
    }

    fn raw(bytes: Vec<u8>, end: End) -> Self {
        Self::Raw(Script {
            bytes,
            pace: None,
            end,
        })
    }
}

/// The point at which an answer breaks off.
#[derive(Clone, Copy)]
enum BreakPoint {
    Nothing,
    Head,
    Body,
}

/// Encodes an answer as HTTP/1.1, complete or up to the middle of its head or body.
fn encode(answer: &Answer, now: Moment, cut: BreakPoint) -> Vec<u8> {
    let mut bytes = format!("HTTP/1.1 {}\r\n", answer.status()).into_bytes();
    for (name, value) in answer.headers() {
        bytes.extend_from_slice(name.as_str().as_bytes());
        bytes.extend_from_slice(b": ");
        bytes.extend_from_slice(value.as_bytes());
        bytes.extend_from_slice(b"\r\n");
    }
    let (date, length) = (now.http_date(Duration::ZERO), answer.body().len());
    if !answer.headers().contains_key(DATE) {
        bytes.extend_from_slice(format!("date: {date}\r\n").as_bytes());
    }
    bytes
        .extend_from_slice(format!("content-length: {length}\r\nconnection: close\r\n").as_bytes());
    match cut {
        BreakPoint::Head => bytes.truncate(bytes.len() / 2),
        BreakPoint::Body | BreakPoint::Nothing => {
            bytes.extend_from_slice(b"\r\n");
            let head = bytes.len();
            bytes.extend_from_slice(answer.body());
            if matches!(cut, BreakPoint::Body) {
                bytes.truncate(head + length / 2);
            }
        }
    }
    bytes
}

// === impl Script ===

impl Script {
    /// Writes the script, to the end of the connection.
    ///
    /// # Errors
    /// The client disconnected first.
    pub(super) async fn play(self, mut stream: impl Connection) -> io::Result<()> {
        if let Some(pace) = self.pace {
            for byte in self.bytes {
                // a timer needs a millisecond even for a zero pause
                if !pace.is_zero() {
                    tokio::time::sleep(pace).await;
                }
                stream.write_all(&[byte]).await?;
                stream.flush().await?;
            }
        } else {
            stream.write_all(&self.bytes).await?;
            // encrypted bytes may wait in a buffer
            stream.flush().await?;
        }
        match self.end {
            End::Close => {
                stream.shutdown().await?;
                // closing with unread bytes would send RST, which can overtake the answer
                drain(&mut stream).await
            }
            End::Silence => drain(&mut stream).await,
            End::Reset => stream.tcp().set_zero_linger(),
            End::Flood => flood(&mut stream).await,
            End::EarlyHints => {
                let chunk = EARLY_HINTS.repeat(4_096);
                loop {
                    stream.write_all(&chunk).await?;
                }
            }
        }
    }
}

/// Reads until the client closes the connection.
pub(super) async fn drain(stream: &mut impl Connection) -> io::Result<()> {
    let mut unread = [0_u8; 1_024];
    while stream.read(&mut unread).await? > 0 {}
    Ok(())
}

async fn flood(stream: &mut impl Connection) -> io::Result<()> {
    let chunk = Bytes::from_static(&[b'A'; 64 * 1_024]);
    for _ in 0..FLOOD_LEN / chunk.len() {
        stream.write_all(&chunk).await?;
    }
    Ok(())
}
