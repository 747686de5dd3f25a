//! The socket of a connection. The event loop does not watch it before it has to wait.
//!
//! Most clients open a connection for each request and have sent the request when the connection is accepted. Its answer
//! is written and the connection closed without the event loop, which saves two system calls and a turn of the loop.

use std::io::{self, ErrorKind, IoSlice, Read as _, Write as _};
use std::os::fd::{AsFd as _, BorrowedFd};
use std::os::unix::net::UnixStream;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::task::coop::poll_proceed;

use super::connections::ConnectionEntry;
use super::hangups::HasPeer;
use super::memory;

/// The length of a first answer, in bytes, that is written before the kernel's buffer for unread answers is limited. It
/// is below that limit, which therefore would make no difference.
const SHORT: usize = 4 * 1024;

/// A connected socket. It does not block.
pub(super) struct Socket {
    /// The socket while the event loop does not watch it.
    unwatched: Option<UnixStream>,
    /// The socket since the event loop watches it. If both are `None`, the event loop has refused it.
    watched: Option<tokio::net::UnixStream>,
    /// Whether anything was written.
    is_written: bool,
    /// Whether the kernel's buffer for unread answers is limited.
    is_limited: bool,
    spot: Arc<ConnectionEntry>,
}

// === impl Socket ===

impl Socket {
    /// Creates it from a stream that does not block. `spot` is told if the event loop refuses the socket.
    pub(super) const fn new(stream: UnixStream, spot: Arc<ConnectionEntry>) -> Self {
        Self {
            unwatched: Some(stream),
            watched: None,
            is_written: false,
            is_limited: false,
            spot,
        }
    }

    /// Makes the event loop watch the socket, so that it can wait.
    fn watch(&mut self) -> io::Result<Pin<&mut tokio::net::UnixStream>> {
        if let Some(stream) = self.unwatched.take() {
            if !self.is_limited {
                memory::limit_send_buffer(&stream);
            }
            let watched = tokio::net::UnixStream::from_std(stream);
            self.watched = Some(watched.inspect_err(|_| self.spot.note_unwatched())?);
        }
        let watched = self.watched.as_mut().map(Pin::new);
        watched.ok_or_else(|| ErrorKind::NotConnected.into())
    }

    /// Returns the result of `attempt` on the socket, if the event loop does not watch it yet and `attempt` need not
    /// wait.
    fn try_unwatched<T>(
        &self,
        cx: &mut Context<'_>,
        attempt: impl FnOnce(&UnixStream) -> io::Result<T>,
    ) -> Poll<Option<io::Result<T>>> {
        let Some(stream) = &self.unwatched else {
            return Poll::Ready(None);
        };
        // As tokio does for sockets that it watches: a task that never has to wait yields at times.
        let coop = ready!(poll_proceed(cx));
        let result = attempt(stream);
        coop.made_progress();
        let waits = matches!(&result, Err(error) if error.kind() == ErrorKind::WouldBlock);
        Poll::Ready((!waits).then_some(result))
    }

    /// Prepares for a write of this length.
    fn before_write(&mut self, length: usize) {
        if let Some(stream) = &self.unwatched
            && !self.is_limited
            && (self.is_written || length > SHORT)
        {
            memory::limit_send_buffer(stream);
            self.is_limited = true;
        }
        self.is_written = true;
    }
}

impl HasPeer for Socket {
    fn socket(&self) -> Option<BorrowedFd<'_>> {
        let unwatched = self.unwatched.as_ref().map(UnixStream::as_fd);
        unwatched.or_else(|| self.watched.as_ref().map(|stream| stream.as_fd()))
    }
}

impl AsyncRead for Socket {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let read = |mut stream: &UnixStream| stream.read(buffer.initialize_unfilled());
        if let Some(length) = ready!(self.try_unwatched(cx, read)) {
            buffer.advance(length?);
            return Poll::Ready(Ok(()));
        }
        self.watch()?.poll_read(cx, buffer)
    }
}

impl AsyncWrite for Socket {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        self.before_write(bytes.len());
        let write = |mut stream: &UnixStream| stream.write(bytes);
        if let Some(result) = ready!(self.try_unwatched(cx, write)) {
            return Poll::Ready(result);
        }
        self.watch()?.poll_write(cx, bytes)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        self.before_write(slices.iter().map(|slice| slice.len()).sum());
        let write = |mut stream: &UnixStream| stream.write_vectored(slices);
        if let Some(result) = ready!(self.try_unwatched(cx, write)) {
            return Poll::Ready(result);
        }
        self.watch()?.poll_write_vectored(cx, slices)
    }

    fn is_write_vectored(&self) -> bool {
        true
    }

    /// Nothing is buffered.
    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    /// Closing the socket ends both directions.
    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use rustix::net::sockopt::socket_send_buffer_size;
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

    use super::super::connections::Connections;
    use super::*;

    /// Creates a connection; returns the client's end as well. The kernel doubles the returned limit.
    fn connection() -> (Socket, UnixStream) {
        let (ours, theirs) = UnixStream::pair().unwrap();
        ours.set_nonblocking(true).unwrap();
        let (place, _) = Connections::new(1, 1).admit(1).unwrap();
        (Socket::new(ours, Arc::clone(place.spot())), theirs)
    }

    fn buffer(socket: &Socket) -> usize {
        socket_send_buffer_size(socket.socket().unwrap()).unwrap()
    }

    #[tokio::test]
    async fn available_bytes_are_read_and_answered_without_the_event_loop() {
        let (mut socket, mut theirs) = connection();
        theirs.write_all(b"request").unwrap();
        let mut bytes = [0; 7];
        socket.read_exact(&mut bytes).await.unwrap();
        let slices = [IoSlice::new(b"ans"), IoSlice::new(b"wer")];
        assert_eq!(socket.write_vectored(&slices).await.unwrap(), 6);
        assert!(socket.watched.is_none());
        drop(socket);
        let mut answer = vec![];
        theirs.read_to_end(&mut answer).unwrap();
        assert_eq!((&bytes, answer.as_slice()), (b"request", &b"answer"[..]));
    }

    #[tokio::test]
    async fn a_read_waits_for_bytes_that_arrive_later() {
        let (mut socket, mut theirs) = connection();
        let mut bytes = [0; 7];
        let early = tokio::time::timeout(Duration::from_millis(1), socket.read(&mut bytes)).await;
        assert!(early.is_err(), "nothing has arrived");
        theirs.write_all(b"request").unwrap();
        socket.read_exact(&mut bytes).await.unwrap();
        assert_eq!(&bytes, b"request");
        drop(theirs);
        assert_eq!(socket.read(&mut bytes).await.unwrap(), 0);
    }

    #[tokio::test]
    async fn a_write_to_a_full_buffer_waits_until_the_client_reads() {
        let (mut socket, mut theirs) = connection();
        let long = vec![b'x'; 1024 * 1024];
        let reader = std::thread::Builder::new().spawn(move || {
            let mut all = vec![];
            theirs.read_to_end(&mut all).map(|_| all.len())
        });
        socket.write_all(&long).await.unwrap();
        assert!(socket.watched.is_some());
        drop(socket);
        assert_eq!(reader.unwrap().join().unwrap().unwrap(), long.len());
    }

    #[tokio::test]
    async fn the_send_buffer_is_limited_before_a_long_second_or_late_write() {
        let (mut socket, theirs) = connection();
        let unlimited = buffer(&socket);
        socket.write_all(&[b'x'; SHORT]).await.unwrap();
        assert_eq!(buffer(&socket), unlimited);
        socket.write_all(b"x").await.unwrap();
        let limited = buffer(&socket);
        assert!(SHORT < limited && limited < unlimited, "{limited}");
        drop(theirs);

        let (mut socket, _theirs) = connection();
        socket.write_all(&[b'x'; SHORT + 1]).await.unwrap();
        assert_eq!(buffer(&socket), limited);

        let (mut socket, _theirs) = connection();
        let wait = tokio::time::timeout(Duration::from_millis(1), socket.read_u8());
        assert!(wait.await.is_err());
        assert_eq!(buffer(&socket), limited);
    }
}
