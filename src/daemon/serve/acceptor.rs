//! Accepts connections on a listening socket.
//!
//! tokio's own listener registers each connection with the event loop, which costs more than a refusal. After another
//! process has shut down a socket that was passed to us, it would also poll for connections in an endless loop.

use std::io;
use std::os::unix::net::{UnixListener, UnixStream};

use tokio::io::Interest;
use tokio::io::unix::AsyncFd;

/// A listening socket on the event loop.
pub struct Acceptor(AsyncFd<UnixListener>);

/// The listening socket was shut down and will never have another connection.
pub(super) const SHUT_DOWN: io::ErrorKind = io::ErrorKind::InvalidInput;

impl Acceptor {
    /// Registers a listening socket with the event loop.
    ///
    /// # Errors
    /// The system's errors.
    pub fn new(listener: UnixListener) -> io::Result<Self> {
        listener.set_nonblocking(true)?;
        #[expect(
            deprecated,
            reason = "the replacement is unsafe because some types change their descriptor; this type does not"
        )]
        AsyncFd::with_interest(listener, Interest::READABLE).map(Self)
    }

    /// Waits for the next connection. The returned stream is non-blocking.
    ///
    /// # Errors
    /// The system's errors, and [`SHUT_DOWN`] if no connection can come any more.
    pub(super) async fn accept(&self) -> io::Result<UnixStream> {
        loop {
            let mut ready = self.0.readable().await?;
            let is_shut_down = ready.ready().is_read_closed();
            match ready.try_io(|listener| accept(listener.get_ref())) {
                Ok(accepted) => return accepted,
                Err(_) if is_shut_down => return Err(SHUT_DOWN.into()),
                Err(_) => {}
            }
        }
    }

    /// Accepts a connection from the backlog without waiting.
    ///
    /// # Errors
    /// The system's errors. [`io::ErrorKind::WouldBlock`] means that the backlog is empty.
    pub(super) fn accept_now(&self) -> io::Result<UnixStream> {
        accept(self.0.get_ref())
    }
}

#[cfg(not(target_vendor = "apple"))]
fn accept(listener: &UnixListener) -> io::Result<UnixStream> {
    use rustix::net::{SocketFlags, accept_with};
    let flags = SocketFlags::CLOEXEC | SocketFlags::NONBLOCK;
    Ok(accept_with(listener, flags)?.into())
}

/// On Apple systems accept(2) takes no flags.
#[cfg(target_vendor = "apple")]
fn accept(listener: &UnixListener) -> io::Result<UnixStream> {
    let (stream, _) = listener.accept()?;
    stream.set_nonblocking(true)?;
    Ok(stream)
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;
    use std::time::Duration;

    use super::*;

    #[tokio::test]
    async fn the_acceptor_returns_connections_in_order_and_then_waits() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("s");
        let acceptor = Acceptor::new(UnixListener::bind(&path).unwrap()).unwrap();
        assert_eq!(
            acceptor.accept_now().unwrap_err().kind(),
            io::ErrorKind::WouldBlock
        );
        let clients: Vec<_> = (0..3)
            .map(|n| {
                let mut client = UnixStream::connect(&path).unwrap();
                client.write_all(&[n]).unwrap();
                client
            })
            .collect();
        for n in 0..3 {
            let mut stream = acceptor.accept().await.unwrap();
            let mut byte = [9];
            std::io::Read::read_exact(&mut stream, &mut byte).unwrap();
            assert_eq!(byte, [n]);
            let read = std::io::Read::read(&mut stream, &mut byte);
            assert_eq!(read.unwrap_err().kind(), io::ErrorKind::WouldBlock);
        }
        let more = tokio::time::timeout(Duration::from_millis(20), acceptor.accept()).await;
        assert!(more.is_err());
        drop(clients);
    }

    #[tokio::test]
    async fn accepting_on_a_socket_that_was_shut_down_fails() {
        let folder = tempfile::tempdir().unwrap();
        let bound = UnixListener::bind(folder.path().join("s")).unwrap();
        let acceptor = Acceptor::new(bound.try_clone().unwrap()).unwrap();
        rustix::net::shutdown(&bound, rustix::net::Shutdown::Both).unwrap();
        for _ in 0..2 {
            assert_eq!(acceptor.accept().await.unwrap_err().kind(), SHUT_DOWN);
        }
    }
}
