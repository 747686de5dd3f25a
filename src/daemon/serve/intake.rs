//! Passes a connection's bytes to hyper request by request, so that hyper buffers little for each connection.
//!
//! hyper doubles its buffer of 8 KiB for every head that arrives in two pieces, and keeps it as long as the connection
//! lasts. So an incomplete head is held here, in a buffer of its own size, until it is complete.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use super::framing::Framing;
use super::head_end::HeadEnd;
use super::memory::{Account, Charge, FREE, refusal_bytes};

/// Bytes that one read of a head takes. Nearly all heads are shorter, and what follows a head is held here. This is
/// also the part of hyper's buffer that stays in use for an idle connection.
const HEAD_PIECE: usize = 512;

/// Bytes that one read of a body takes. Together with a head they touch one page of hyper's buffer.
const BODY_PIECE: usize = 2 * 1024;

/// Length from which a head touches more pages of hyper's buffer, which stay in use as long as the connection lasts.
const LONG_HEAD: usize = 2 * 1024;

/// Length from which hyper allocates a larger buffer.
const LONGER_HEAD: usize = 8 * 1024;

/// Largest size of that buffer.
const GROWN: usize = 32 * 1024;

/// Smallest growth of the buffer of a head, in bytes.
const STEP: usize = 256;

/// Reads per poll. A peer that sends nothing but line ends must not occupy the event loop.
const READS: usize = 16;

/// Limit of line-end bytes before a request. Some old clients send one or two (RFC 9112 section 2.2). A peer that sends
/// nothing else makes the daemon scan all of them.
const MOST_LINE_ENDS: usize = 256;

/// A stream that is read head by head and body by body.
pub(super) struct HeadBuffer<S> {
    stream: S,
    account: Account,
    framing: Framing,
    /// Longest head that is passed on in full. hyper refuses longer ones.
    longest: usize,
    /// The bytes that have arrived and have not been passed on.
    held: Vec<u8>,
    /// How many of these bytes may be passed on: a complete head, or bytes that cannot be a head.
    ready: usize,
    /// The search for the end of the head, and how many of these bytes it has scanned.
    search: HeadEnd,
    searched: usize,
    /// The charge for the held bytes in the user's memory budget.
    charge: Option<Charge>,
    /// The charge for hyper's buffer after a long head, and the size that it covers.
    grown: Option<Charge>,
    buffer: usize,
    /// Number of line-end bytes since the last request.
    line_ends: usize,
    /// Whether the peer has finished sending, or sends what cannot be a head. Then all bytes are passed on.
    is_raw: bool,
}

// === impl Intake ===

impl<S: AsyncRead + AsyncWrite + Unpin> HeadBuffer<S> {
    /// Creates an intake that reads `stream` for a connection of this account.
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

    /// Reads at most `most` bytes into `buf`, and returns how many were read.
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

    /// Passes on held bytes that are ready.
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

    /// Reads and holds bytes until a head is complete. Then `ready` says how many bytes may be passed on.
    fn poll_head(&mut self, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        // The bytes after the previous request may already contain a head.
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
            // The common case: the head is complete in the first piece and nothing follows it, so no byte is copied.
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

    /// Searches the unscanned held bytes for the end of the head.
    fn look(&mut self) {
        let new = self.held.get(self.searched..).unwrap_or_default();
        if let Some(end) = self.search.find(new) {
            self.ready = self.searched + end;
        } else if self.held.len() >= self.longest
            || self.held.first().is_some_and(|byte| !is_of_method(*byte))
        {
            // hyper refuses such a head.
            self.is_raw = true;
            self.ready = self.held.len();
        }
        self.searched = self.held.len();
    }

    /// Charges the held bytes and the future size of hyper's buffer. Returns whether there was enough memory.
    fn take_memory(&mut self) -> bool {
        // Free the old charges first, because the new ones cover the same bytes.
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

    /// Refuses a head for lack of memory. Writes the answer directly, because hyper has not received the request.
    fn refuse(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        // The answer fits into the socket's buffer. The peer may have gone away.
        let _: Poll<io::Result<usize>> =
            Pin::new(&mut self.stream).poll_write(cx, &refusal_bytes());
        let error = io::Error::new(io::ErrorKind::OutOfMemory, "no memory for its head");
        Poll::Ready(Err(error))
    }
}

/// Counts the line-end bytes before a request, which a server ignores (RFC 9112 section 2.2).
fn leading_line_ends(bytes: &[u8]) -> usize {
    let is_line_end = |byte: &u8| matches!(byte, b'\r' | b'\n');
    bytes.iter().take_while(|byte| is_line_end(byte)).count()
}

/// Whether this byte may occur in a method (RFC 9110 section 5.6.2).
fn is_of_method(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte)
}

impl<S: AsyncRead + AsyncWrite + Unpin> AsyncRead for HeadBuffer<S> {
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

impl<S: AsyncRead + AsyncWrite + Unpin> AsyncWrite for HeadBuffer<S> {
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
