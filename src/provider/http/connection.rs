//! A connection to an issuer that limits the bytes before the head of an answer is complete.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll, ready};

use hyper::rt::{Read, Write};
use hyper_util::client::legacy::connect::{Connected, Connection as Described};
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use super::exceeded::Exceeded;

/// The maximum number of bytes before the head of the final answer is complete. hyper refuses a head of 408 KiB, so
/// only interim answers exceed this limit. `interim` counts them too, but hyper reads everything that has arrived
/// before the counter can end the exchange.
const MOST: usize = 512 * 1024;

/// A connection, encrypted or not, that fails when its allowance is used up.
pub(super) struct Connection {
    stream: Box<dyn Stream>,
    allowance: Allowance,
}

/// The number of bytes that may still be read. Each write resets it, because a write is part of a request.
#[derive(Debug, Clone)]
pub(super) struct Allowance(Arc<AtomicUsize>);

trait Stream: AsyncRead + AsyncWrite + Send + Unpin {}

impl<T: AsyncRead + AsyncWrite + Send + Unpin> Stream for T {}

// === impl Connection ===

impl Connection {
    pub(super) fn new(stream: impl Read + Write + Send + Unpin + 'static) -> Self {
        Self {
            stream: Box::new(TokioIo::new(stream)),
            allowance: Allowance(Arc::new(AtomicUsize::new(MOST))),
        }
    }

    /// Resets the allowance: the bytes that follow a write are those of the answer.
    fn stream_for_request(&mut self) -> Pin<&mut dyn Stream> {
        self.allowance.set(MOST);
        Pin::new(&mut *self.stream)
    }
}

impl Described for Connection {
    /// Attaches the allowance to each response.
    fn connected(&self) -> Connected {
        Connected::new().extra(self.allowance.clone())
    }
}

impl AsyncRead for Connection {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buffer.filled().len();
        ready!(Pin::new(&mut *self.stream).poll_read(context, buffer))?;
        let read = buffer.filled().len() - before;
        Poll::Ready(self.allowance.take(read).map_err(io::Error::other))
    }
}

impl AsyncWrite for Connection {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        self.stream_for_request().poll_write(context, bytes)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        self.stream_for_request()
            .poll_write_vectored(context, slices)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut *self.stream).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut *self.stream).poll_shutdown(context)
    }
}

// === impl Allowance ===

impl Allowance {
    /// Removes the limit when the head is complete. The body has its own limit, in `content`.
    pub(super) fn lift(&self) {
        self.set(usize::MAX);
    }

    fn set(&self, bytes: usize) {
        self.0.store(bytes, Ordering::Relaxed);
    }

    fn take(&self, bytes: usize) -> Result<(), Exceeded> {
        let less = |left: usize| left.checked_sub(bytes);
        let taken = self
            .0
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, less);
        taken.map(drop).map_err(|_| Exceeded::InterimAnswers)
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

    use super::*;

    #[tokio::test]
    async fn each_request_gets_the_full_allowance_until_its_response_head_is_complete() {
        let (near, mut far) = tokio::io::duplex(2 * MOST);
        let mut connection = Connection::new(TokioIo::new(near));
        let allowance = connection.allowance.clone();
        let mut taken = vec![0; MOST];
        for _ in 0..2 {
            connection.write_all(b"a request").await.unwrap();
            far.write_all(&taken).await.unwrap();
            connection.read_exact(&mut taken).await.unwrap();
        }
        far.write_all(b"x").await.unwrap();
        let error = connection.read_u8().await.unwrap_err();
        let cause = error.get_ref().and_then(|cause| cause.downcast_ref());
        assert_eq!(cause, Some(&Exceeded::InterimAnswers));
        allowance.lift();
        for _ in 0..3 {
            far.write_all(&taken).await.unwrap();
            connection.read_exact(&mut taken).await.unwrap();
        }
    }
}
