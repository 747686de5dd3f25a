//! Hands a connection's bytes to hyper request by request, so that hyper holds little for each connection.
//!
//! hyper doubles its buffer of 8 KiB for every head that arrives in two pieces, and keeps it for as long as the
//! connection lasts. So a head is held here, in as many bytes as it has, until it is complete.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use super::framing::Framing;
use super::head_end::HeadEnd;
use super::memory::{Account, Charge, FREE, refusal_bytes};

/// How many bytes of a head are read at once: nearly all heads are shorter, and what comes behind one is held here. They
/// are what an idle connection keeps of hyper's buffer.
const HEAD_PIECE: usize = 512;

/// How many bytes of a body are read at once: together with a head they touch one page of hyper's buffer.
const BODY_PIECE: usize = 2 * 1024;

/// From this length on, a head touches more pages of hyper's buffer, for as long as the connection lasts.
const LONG_HEAD: usize = 2 * 1024;

/// From this length on, hyper makes a larger buffer.
const LONGER_HEAD: usize = 8 * 1024;

/// How large that buffer may get.
const GROWN: usize = 32 * 1024;

/// By how many bytes the buffer of a head grows at least.
const STEP: usize = 256;

/// How often one poll reads: a peer that sends nothing but line ends must not keep the event loop.
const READS: usize = 16;

/// How many bytes of line ends may stand before a request. Some old clients send one or two (RFC 9112 section 2.2); a peer
/// that sends nothing else has the daemon look at all of it.
const MOST_LINE_ENDS: usize = 256;

/// A stream that is read head by head and body by body.
pub(super) struct Intake<S> {
    stream: S,
    account: Account,
    framing: Framing,
    /// The longest head that is handed over in full; hyper refuses longer ones.
    longest: usize,
    /// What has arrived and is not handed over.
    held: Vec<u8>,
    /// How many of these bytes may be handed over: a complete head, or what is no head.
    ready: usize,
    /// The search for the end of the head, and how many of these bytes it has seen.
    search: HeadEnd,
    searched: usize,
    /// What the held bytes take of the user's memory.
    charge: Option<Charge>,
    /// What hyper's buffer takes after a long head, and for which size.
    grown: Option<Charge>,
    buffer: usize,
    /// How many bytes of line ends have come since the last request.
    line_ends: usize,
    /// Whether the peer will send no more, or sends what cannot be a head: all of it is handed over.
    is_raw: bool,
}

// === impl Intake ===

impl<S: AsyncRead + AsyncWrite + Unpin> Intake<S> {
    /// Reads `stream` for a connection of this account.
    pub(super) fn new(stream: S, account: Account, framing: Framing, longest: usize) -> Self {
        Self {
            stream,
            account,
            framing,
            longest,
            held: vec![],
            ready: 0,
            search: HeadEnd::default(),
            searched: 0,
            charge: None,
            grown: None,
            buffer: 0,
            line_ends: 0,
            is_raw: false,
        }
    }

    /// Reads at most `most` bytes into `buf`, and returns how many came.
    fn poll_some(
        &mut self,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
        most: usize,
    ) -> Poll<io::Result<usize>> {
        let most = most.min(buf.remaining());
        let mut piece = ReadBuf::new(buf.initialize_unfilled_to(most));
        ready!(Pin::new(&mut self.stream).poll_read(cx, &mut piece))?;
        let length = piece.filled().len();
        buf.advance(length);
        Poll::Ready(Ok(length))
    }

    /// Hands over held bytes that are ready.
    fn hand_over(&mut self, buf: &mut ReadBuf<'_>, most: usize) {
        let length = most.min(buf.remaining()).min(self.held.len());
        buf.put_slice(self.held.get(..length).unwrap_or_default());
        self.held.drain(..length);
        self.ready = self.ready.saturating_sub(length);
        (self.search, self.searched) = (HeadEnd::default(), 0);
        if self.held.is_empty() {
            self.held = vec![];
            self.charge = None;
            self.framing.hold_head(false);
        }
    }

    /// Reads and holds until a head is complete; then `ready` says how much of it may be handed over.
    fn poll_head(&mut self, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        // What came behind the request before may be a head already.
        if self.searched == 0 {
            self.held.drain(..leading_line_ends(&self.held));
        }
        self.look();
        for _ in 0..READS {
            if self.ready > 0 {
                self.line_ends = 0;
                self.hand_over(buf, self.ready);
                return Poll::Ready(Ok(()));
            }
            let start = buf.filled().len();
            let length = ready!(self.poll_some(cx, buf, HEAD_PIECE))?;
            let came = buf.filled().get(start..).unwrap_or_default();
            if length == 0 {
                self.is_raw = true;
                self.ready = self.held.len();
                if self.ready == 0 {
                    return Poll::Ready(Ok(()));
                }
                continue;
            }
            let blank = match self.held.is_empty() {
                true => leading_line_ends(came),
                false => 0,
            };
            let came = came.get(blank..).unwrap_or_default();
            self.line_ends += blank;
            if self.line_ends > MOST_LINE_ENDS {
                let error =
                    io::Error::new(io::ErrorKind::InvalidData, "line ends without a request");
                return Poll::Ready(Err(error));
            }
            // Nearly every head is complete in the first piece, and nothing comes behind it: no byte is copied.
            if self.held.is_empty() && blank == 0 && HeadEnd::default().find(came) == Some(length) {
                self.line_ends = 0;
                return Poll::Ready(Ok(()));
            }
            if self.held.capacity() - self.held.len() < came.len() {
                self.held.reserve_exact(came.len().next_multiple_of(STEP));
            }
            self.held.extend_from_slice(came);
            self.framing.hold_head(!self.held.is_empty());
            buf.set_filled(start);
            self.look();
            if !self.take_memory() {
                return self.refuse(cx);
            }
        }
        cx.waker().wake_by_ref();
        Poll::Pending
    }

    /// Looks for the head's end in the held bytes that were not searched yet.
    fn look(&mut self) {
        let new = self.held.get(self.searched..).unwrap_or_default();
        if let Some(end) = self.search.find(new) {
            self.ready = self.searched + end;
        } else if self.held.len() >= self.longest
            || self.held.first().is_some_and(|byte| !is_of_method(*byte))
        {
            // hyper refuses it.
            self.is_raw = true;
            self.ready = self.held.len();
        }
        self.searched = self.held.len();
    }

    /// Takes memory for what is held, and for what hyper's buffer will need.
    fn take_memory(&mut self) -> bool {
        // Given back first, since it is taken again with the rest.
        (self.charge, self.grown) = (None, None);
        let buffer = match self.held.len() {
            ..LONG_HEAD => 0,
            LONG_HEAD..LONGER_HEAD => LONGER_HEAD + FREE,
            LONGER_HEAD.. => GROWN + FREE,
        };
        let buffer = buffer.max(self.buffer);
        self.charge = self.account.take(self.held.len());
        self.grown = self.account.take(buffer);
        self.buffer = buffer;
        self.charge.is_some() && self.grown.is_some()
    }

    /// Refuses a head for which there is no memory. hyper has nothing to write: it would not read otherwise.
    fn refuse(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        // It fits the socket's buffer; the peer may be gone already.
        let _: Poll<io::Result<usize>> =
            Pin::new(&mut self.stream).poll_write(cx, &refusal_bytes());
        let error = io::Error::new(io::ErrorKind::OutOfMemory, "no memory for its head");
        Poll::Ready(Err(error))
    }
}

/// How many line ends stand before a request: a server ignores them (RFC 9112 section 2.2).
fn leading_line_ends(bytes: &[u8]) -> usize {
    let is_line_end = |byte: &u8| matches!(byte, b'\r' | b'\n');
    bytes.iter().take_while(|byte| is_line_end(byte)).count()
}

/// Whether a method may have this byte (RFC 9110 section 5.6.2).
fn is_of_method(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte)
}

impl<S: AsyncRead + AsyncWrite + Unpin> AsyncRead for Intake<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let this = &mut *self;
        let body = usize::try_from(this.framing.body_left()).unwrap_or(usize::MAX);
        if this.ready > 0 || (body > 0 || this.is_raw) && !this.held.is_empty() {
            let most = match this.ready {
                0 if this.is_raw => usize::MAX,
                0 => body,
                ready => ready,
            };
            let before = buf.filled().len();
            this.hand_over(buf, most);
            this.framing.take(buf.filled().len() - before);
            return Poll::Ready(Ok(()));
        }
        if body > 0 || this.is_raw {
            let most = if this.is_raw {
                BODY_PIECE
            } else {
                body.min(BODY_PIECE)
            };
            let length = ready!(this.poll_some(cx, buf, most))?;
            this.framing.take(length);
            return Poll::Ready(Ok(()));
        }
        this.poll_head(cx, buf)
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> AsyncWrite for Intake<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(cx, buf)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write_vectored(cx, bufs)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }
}

#[cfg(test)]
mod tests;
