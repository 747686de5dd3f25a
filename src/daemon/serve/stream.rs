//! A stream with timers, so that a slow peer cannot occupy a place.
//!
//! hyper's own header timer would also end idle keep-alive connections. So it is off, and the timer here depends on
//! what the connection is doing.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::{Instant, Sleep};

use super::connection_progress::ConnectionProgress;
use super::hangups::HasPeer;
use crate::clock::from_now;

/// Time limit before a connection's first byte, and from a request's first byte to the end of its headers.
pub const HEAD: Duration = Duration::from_secs(2);

/// Time limit of idleness between requests.
pub const IDLE: Duration = Duration::from_secs(60);

/// Time limit of a write without progress.
pub const WRITE: Duration = Duration::from_secs(10);

/// A stream whose reads and writes fail with `TimedOut` if the peer is too slow.
pub struct TimedStream<S> {
    stream: S,
    pace: ConnectionProgress,
    /// The pace for which the deadline was set.
    armed: u32,
    deadline: Instant,
    /// Fires at the deadline or before it.
    timer: Pin<Box<Sleep>>,
    writing: Option<Pin<Box<Sleep>>>,
    /// Whether the connection has been registered to leave when its peer hangs up.
    leaves_on_hangup: bool,
}

// === impl Timed ===

impl<S> TimedStream<S> {
    /// Adds timers to `stream`.
    pub fn new(stream: S, pace: ConnectionProgress) -> Self {
        let timer = Box::pin(tokio::time::sleep(HEAD));
        Self {
            stream,
            armed: pace.stamp(),
            pace,
            deadline: timer.deadline(),
            timer,
            writing: None,
            leaves_on_hangup: false,
        }
    }

    /// Resolves once the deadline for reading has passed. Stays pending while a request is being answered.
    fn poll_timer(&mut self, cx: &mut Context<'_>) -> Poll<io::Error> {
        if self.pace.is_busy() {
            return Poll::Pending;
        }
        let pace = self.pace.stamp();
        if pace != self.armed {
            self.armed = pace;
            let limit = if self.pace.is_idle() { IDLE } else { HEAD };
            self.deadline = from_now(limit);
            // If the timer fires too early, it is set again at that point. Resetting it for every later deadline would
            // cost two resets for nearly every request.
            if self.deadline < self.timer.deadline() {
                self.timer.as_mut().reset(self.deadline);
            }
        }
        loop {
            ready!(self.timer.as_mut().poll(cx));
            if self.timer.deadline() >= self.deadline {
                return Poll::Ready(io::Error::new(
                    io::ErrorKind::TimedOut,
                    "the peer is too slow",
                ));
            }
            self.timer.as_mut().reset(self.deadline);
        }
    }

    fn poll_write_timer<T>(
        &mut self,
        cx: &mut Context<'_>,
        result: Poll<io::Result<T>>,
    ) -> Poll<io::Result<T>> {
        if result.is_ready() {
            self.writing = None;
            return result;
        }
        let timer = self
            .writing
            .get_or_insert_with(|| Box::pin(tokio::time::sleep(WRITE)));
        ready!(timer.as_mut().poll(cx));
        Poll::Ready(Err(io::Error::new(
            io::ErrorKind::TimedOut,
            "the peer does not read",
        )))
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for TimedStream<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let this = &mut *self;
        let before = buf.filled().len();
        if let Poll::Ready(result) = Pin::new(&mut this.stream).poll_read(cx, buf) {
            if buf.filled().len() > before && !this.pace.is_busy() {
                this.pace.begins_head();
            }
            return Poll::Ready(result);
        }
        if let Some(spot) = this.pace.spot() {
            spot.pause();
        }
        this.poll_timer(cx).map(Err)
    }
}

impl<S: AsyncWrite + HasPeer + Unpin> AsyncWrite for TimedStream<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        let this = &mut *self;
        let result = Pin::new(&mut this.stream).poll_write(cx, buf);
        this.poll_write_timer(cx, result)
    }

    /// hyper flushes whenever it has nothing more to do, including while a request waits.
    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = &mut *self;
        if this.pace.is_pending() && !this.leaves_on_hangup {
            this.leaves_on_hangup = true;
            if let (Some(spot), Some(socket)) = (this.pace.spot(), this.stream.socket()) {
                spot.leave_on_hangup(socket);
            }
        }
        let result = Pin::new(&mut this.stream).poll_flush(cx);
        this.poll_write_timer(cx, result)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        // hyper drops the stream next. Closing it ends both directions, so the peer gets the same end of file without
        // another system call. Nothing is buffered in between.
        self.writing = None;
        Poll::Ready(Ok(()))
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let this = &mut *self;
        let result = Pin::new(&mut this.stream).poll_write_vectored(cx, bufs);
        this.poll_write_timer(cx, result)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream};

    use super::*;

    const fn secs(s: u64) -> Duration {
        Duration::from_secs(s)
    }

    fn pair() -> (TimedStream<DuplexStream>, ConnectionProgress, DuplexStream) {
        let (ours, theirs) = tokio::io::duplex(64);
        let pace = ConnectionProgress::default();
        (TimedStream::new(ours, pace.clone()), pace, theirs)
    }

    /// Waits until a read fails, and returns how long that took, in seconds.
    async fn read_fails(stream: &mut TimedStream<DuplexStream>) -> u64 {
        let start = from_now(Duration::ZERO);
        let error = stream.read_u8().await.unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::TimedOut);
        start.elapsed().as_secs()
    }

    async fn pass(stream: &mut TimedStream<DuplexStream>, theirs: &mut DuplexStream) {
        theirs.write_all(b"x").await.unwrap();
        stream.read_u8().await.unwrap();
    }

    #[tokio::test(start_paused = true)]
    async fn the_first_byte_and_then_the_request_head_time_out_after_2_s_each() {
        let (mut silent, _, _theirs) = pair();
        assert_eq!(read_fails(&mut silent).await, 2);

        let (mut stream, _, mut theirs) = pair();
        for late in [1_900, 0, 1_000, 900] {
            let read = tokio::time::timeout(Duration::from_millis(late), stream.read_u8()).await;
            assert!(read.is_err(), "nothing has come yet");
            pass(&mut stream, &mut theirs).await;
        }
        assert_eq!(read_fails(&mut stream).await, 0, "1.9 s are over already");
    }

    #[tokio::test(start_paused = true)]
    async fn no_timeout_runs_during_a_request_and_the_idle_timeout_follows() {
        let (mut stream, pace, mut theirs) = pair();
        pass(&mut stream, &mut theirs).await;
        let busy = pace.busy();
        let read = tokio::time::timeout(secs(3_600), stream.read_u8()).await;
        assert!(read.is_err(), "no timer runs while it is busy");
        drop(busy);
        assert_eq!(read_fails(&mut stream).await, 60);
    }

    #[tokio::test(start_paused = true)]
    async fn every_answered_request_restarts_the_idle_timeout() {
        let (mut stream, pace, mut theirs) = pair();
        for _ in 0..3 {
            pass(&mut stream, &mut theirs).await;
            drop(pace.busy());
            let read = tokio::time::timeout(secs(59), stream.read_u8()).await;
            assert!(read.is_err(), "idle");
        }
        assert_eq!(read_fails(&mut stream).await, 1);
    }

    #[tokio::test(start_paused = true)]
    async fn a_write_times_out_after_10_s_without_progress() {
        let (mut stream, _, mut theirs) = pair();
        let start = from_now(Duration::ZERO);
        let reader = tokio::spawn(async move {
            for _ in 0..4 {
                tokio::time::sleep(secs(9)).await;
                theirs.read_exact(&mut [0; 64]).await.unwrap();
            }
            theirs
        });
        // The pipe takes the first 64 bytes at once.
        stream.write_all(&[0; 5 * 64]).await.unwrap();
        assert_eq!(start.elapsed().as_secs(), 4 * 9);
        let _theirs = reader.await.unwrap();
        let error = stream.write_all(&[0]).await.unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::TimedOut);
        assert_eq!(start.elapsed().as_secs(), 4 * 9 + 10);
    }
}
