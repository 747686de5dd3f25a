//! Notices at once when the peer of a connection hangs up while its request waits.
//!
//! While a request waits, nothing is read from its connection, so the end of the stream goes unnoticed. It would not be
//! enough anyway: a peer that has only shut down its sending side still reads the answer. The system distinguishes the
//! two and reports `EPOLLHUP` after a full close only. tokio does not report `EPOLLHUP` while the connection is
//! writable, so this module has an epoll instance of its own that reports nothing else.

use std::os::fd::{AsFd as _, BorrowedFd};

use tokio::io::DuplexStream;
use tokio::net::UnixStream;

#[cfg(target_os = "linux")]
pub(super) use self::linux::Hangups;

/// A stream whose peer can hang up.
pub trait HasPeer {
    /// Returns the socket through which the system reports that the peer has hung up.
    fn socket(&self) -> Option<BorrowedFd<'_>>;
}

impl HasPeer for UnixStream {
    fn socket(&self) -> Option<BorrowedFd<'_>> {
        Some(self.as_fd())
    }
}

/// An in-memory pipe, for the daemon's own requests and for tests. Its other end is in this process.
impl HasPeer for DuplexStream {
    fn socket(&self) -> Option<BorrowedFd<'_>> {
        None
    }
}

/// Stub: on other systems a hangup shows only when something is written, such as the next heartbeat of a watch.
#[cfg(not(target_os = "linux"))]
#[derive(Debug)]
pub(super) struct Hangups;

#[cfg(not(target_os = "linux"))]
impl Hangups {
    pub(super) const fn new() -> Option<Self> {
        None
    }

    pub(super) const fn add(&self, _: BorrowedFd<'_>, _: u64) {}

    pub(super) async fn next(&self) -> Vec<u64> {
        std::future::pending().await
    }
}

#[cfg(target_os = "linux")]
mod linux {
    use std::os::fd::OwnedFd;

    use rustix::buffer::spare_capacity;
    use rustix::event::epoll::{self, CreateFlags, Event, EventData, EventFlags};
    use rustix::time::Timespec;
    use tokio::io::Interest;
    use tokio::io::unix::AsyncFd;
    use tracing::warn;

    use super::BorrowedFd;

    /// Number of events that are taken at once.
    const AT_ONCE: usize = 256;

    /// The connections whose peers may hang up.
    #[derive(Debug)]
    pub(in super::super) struct Hangups(AsyncFd<OwnedFd>);

    #[expect(
        deprecated,
        reason = "the replacement is unsafe because some types change their descriptor; this type does not"
    )]
    fn register(epoll: OwnedFd) -> std::io::Result<AsyncFd<OwnedFd>> {
        AsyncFd::with_interest(epoll, Interest::READABLE)
    }

    impl Hangups {
        /// Creates the epoll instance. Returns `None` if the system refuses. Call it on the event loop.
        pub(in super::super) fn new() -> Option<Self> {
            let made = epoll::create(CreateFlags::CLOEXEC)
                .map_err(std::io::Error::from)
                .and_then(register);
            made.map(Self)
                .inspect_err(
                    |error| warn!(%error, "cannot detect at once that a watcher has disconnected"),
                )
                .ok()
        }

        /// Reports `key` when the peer of this socket hangs up, until the socket is closed.
        pub(in super::super) fn add(&self, socket: BorrowedFd<'_>, key: u64) {
            // With no requested event, epoll reports only EPOLLHUP and EPOLLERR. It can fail for lack of memory. Then
            // the hangup is noticed late, as on other systems.
            let _: rustix::io::Result<()> =
                epoll::add(&self.0, socket, EventData::new_u64(key), EventFlags::ET);
        }

        /// Waits until peers have hung up, and returns the keys of their connections.
        pub(in super::super) async fn next(&self) -> Vec<u64> {
            loop {
                // This fails only when the runtime is shutting down.
                let Ok(mut ready) = self.0.readable().await else {
                    return std::future::pending().await;
                };
                let gone = self.gone();
                if !gone.is_empty() {
                    return gone;
                }
                ready.clear_ready();
            }
        }

        fn gone(&self) -> Vec<u64> {
            let mut events = Vec::<Event>::with_capacity(AT_ONCE);
            let came = epoll::wait(
                self.0.get_ref(),
                spare_capacity(&mut events),
                Some(&Timespec::default()),
            );
            // An error means that no event was taken, so the next call gets them.
            came.map_or(vec![], |_| {
                events.iter().map(|event| event.data.u64()).collect()
            })
        }
    }

    #[cfg(test)]
    mod tests {
        use std::os::fd::AsFd as _;
        use std::time::Duration;

        use rustix::net::{Shutdown, shutdown};
        use tokio::io::AsyncWriteExt as _;
        use tokio::net::UnixStream;

        use super::*;

        async fn reported(hangups: &Hangups) -> Vec<u64> {
            let within = Duration::from_millis(100);
            let next = tokio::time::timeout(within, hangups.next());
            next.await.unwrap_or_default()
        }

        #[tokio::test]
        async fn a_full_close_is_reported_and_a_half_close_is_not() {
            let hangups = Hangups::new().unwrap();
            let pairs: Vec<_> = (0..4).map(|_| UnixStream::pair().unwrap()).collect();
            let (ours, mut theirs): (Vec<_>, Vec<_>) = pairs.into_iter().unzip();
            for (key, ours) in (7..).zip(&ours) {
                hangups.add(ours.as_fd(), key);
            }
            theirs[0].write_all(b"bytes are no end").await.unwrap();
            shutdown(&theirs[1], Shutdown::Write).unwrap();
            assert!(reported(&hangups).await.is_empty());
            shutdown(&theirs[2], Shutdown::Both).unwrap();
            assert_eq!(reported(&hangups).await, [9]);
            drop(theirs);
            let mut rest = reported(&hangups).await;
            rest.extend(reported(&hangups).await);
            rest.sort_unstable();
            assert!(
                rest.starts_with(&[7, 8]) && rest.ends_with(&[10]),
                "{rest:?}"
            );
            assert!(reported(&hangups).await.is_empty());
        }

        #[tokio::test]
        async fn a_peer_that_closed_before_registration_is_reported() {
            let hangups = Hangups::new().unwrap();
            let (ours, theirs) = UnixStream::pair().unwrap();
            drop(theirs);
            hangups.add(ours.as_fd(), 1);
            assert_eq!(reported(&hangups).await, [1]);
        }

        #[tokio::test]
        async fn more_hang_ups_than_one_batch_are_all_reported() {
            let hangups = Hangups::new().unwrap();
            let pairs: Vec<_> = (0..AT_ONCE + 40)
                .map(|_| UnixStream::pair().unwrap())
                .collect();
            let (ours, theirs): (Vec<_>, Vec<_>) = pairs.into_iter().unzip();
            for (key, ours) in (0..).zip(&ours) {
                hangups.add(ours.as_fd(), key);
            }
            drop(theirs);
            let mut all = vec![];
            while all.len() < ours.len() {
                let more = reported(&hangups).await;
                assert!(!more.is_empty(), "{} are reported", all.len());
                all.extend(more);
            }
        }
    }
}
