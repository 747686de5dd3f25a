//! The main port, which can be closed or jammed and opened again without losing its number.

use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use rustix::net::{Shutdown, shutdown};
use tokio::net::{TcpListener, TcpSocket, TcpStream};

/// The number of connections that can wait to be accepted.
const BACKLOG: u32 = 1_024;

/// How often to try a port that another process has, and how long to wait between two tries: two seconds in all.
const TRIES: usize = 100;
const TRY_EVERY: Duration = Duration::from_millis(20);

/// The pause after a failed accept. The usual reason is a lack of descriptors, which lasts.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);

/// The timeout after which a connection to a jammed port counts as unanswered. On loopback, a connection that is
/// accepted needs microseconds.
const TAKEN_WITHIN: Duration = Duration::from_millis(100);

/// The shortest queue. Some systems take 0 for their longest one.
const SHORTEST: u32 = 1;

/// The maximum number of connections to fill that queue. Linux needs two; other systems count differently.
const JAM: usize = 16;

/// A listener whose queue is full, with the sandbox's own connections that fill it. Later connections get no answer.
#[derive(Debug)]
struct FullQueue {
    listener: TcpListener,
    _queue: Vec<TcpStream>,
}

/// The main port: open, closed or jammed.
#[derive(Debug)]
pub(super) struct MainPort {
    address: SocketAddr,
    listener: Option<TcpListener>,
    jam: Option<FullQueue>,
    /// A socket that is bound to the port and never listens. Without it, the kernel could give a closed port to any
    /// process that asks for a free one. It could even give it to the connecting client, which would then connect to
    /// itself (TCP simultaneous open). Some systems do not allow two bound sockets; there, opening the port is only
    /// retried.
    _reservation: Option<TcpSocket>,
}

impl MainPort {
    /// Opens `address`; port 0 means any free port.
    pub(super) fn open(address: SocketAddr) -> io::Result<Self> {
        let socket = bound(address)?;
        let address = socket.local_addr()?;
        // before the first socket listens: after that, the port cannot be bound twice
        let reservation = bound(address).ok();
        Ok(Self {
            address,
            listener: Some(socket.listen(BACKLOG)?),
            jam: None,
            _reservation: reservation,
        })
    }

    pub(super) const fn address(&self) -> SocketAddr {
        self.address
    }

    /// Refuses new connections, and resets those that are not yet accepted.
    pub(super) fn close(&mut self) {
        let jam = self.jam.take().map(|jam| jam.listener);
        for listener in self.listener.take().into_iter().chain(jam) {
            // Closing the listener is not enough: a child process between fork and exec has a duplicate, which would
            // still accept connections. Some systems cannot shut down a listener; there, it is only closed.
            let _: rustix::io::Result<()> = shutdown(&listener, Shutdown::Both);
        }
    }

    /// Leaves new connections unanswered, and resets those that are not yet accepted.
    pub(super) async fn jam(&mut self) -> io::Result<()> {
        if self.jam.is_some() {
            return Ok(());
        }
        self.close();
        let listener = self.listen(SHORTEST).await?;
        let mut queue = vec![];
        while let Ok(taken) =
            tokio::time::timeout(TAKEN_WITHIN, TcpStream::connect(self.address)).await
        {
            queue.push(taken?);
            if queue.len() > JAM {
                return Err(io::Error::other("the port's queue cannot be filled"));
            }
        }
        self.jam = Some(FullQueue {
            listener,
            _queue: queue,
        });
        Ok(())
    }

    /// Accepts connections again, on the same port.
    pub(super) async fn reopen(&mut self) -> io::Result<()> {
        if self.listener.is_some() {
            return Ok(());
        }
        self.close();
        self.listener = Some(self.listen(BACKLOG).await?);
        Ok(())
    }

    /// Listens on the port again.
    async fn listen(&self, backlog: u32) -> io::Result<TcpListener> {
        let mut tries = 0;
        loop {
            match bound(self.address).and_then(|socket| socket.listen(backlog)) {
                Ok(listener) => return Ok(listener),
                Err(in_use) if in_use.kind() == io::ErrorKind::AddrInUse && tries < TRIES => {
                    tries += 1;
                    tokio::time::sleep(TRY_EVERY).await;
                }
                Err(fault) => return Err(fault),
            }
        }
    }

    /// Waits for the next connection. While the port is closed or jammed, there is none.
    pub(super) async fn accept(&self) -> TcpStream {
        let Some(listener) = &self.listener else {
            return std::future::pending().await;
        };
        loop {
            match listener.accept().await {
                Ok((stream, _)) => return stream,
                Err(_) => tokio::time::sleep(ACCEPT_PAUSE).await,
            }
        }
    }
}

fn bound(address: SocketAddr) -> io::Result<TcpSocket> {
    let socket = if address.is_ipv4() {
        TcpSocket::new_v4()?
    } else {
        TcpSocket::new_v6()?
    };
    // connections of the port's earlier listener may still be in TIME-WAIT
    socket.set_reuseaddr(true)?;
    socket.bind(address)?;
    Ok(socket)
}

#[cfg(test)]
mod tests {
    use std::io::ErrorKind;

    use super::*;

    #[tokio::test]
    async fn a_closed_port_refuses_although_a_child_holds_the_listener() {
        let mut door = MainPort::open("127.0.0.1:0".parse().unwrap()).unwrap();
        // A child process has duplicates like these between fork and exec.
        let mut duplicates = vec![];
        for _ in 0..2 {
            duplicates.push(rustix::io::dup(door.listener.as_ref().unwrap()).unwrap());
            door.close();
            let refused = TcpStream::connect(door.address()).await.unwrap_err();
            assert_eq!(refused.kind(), ErrorKind::ConnectionRefused);
            door.jam().await.unwrap();
            duplicates.push(rustix::io::dup(&door.jam.as_ref().unwrap().listener).unwrap());
            door.reopen().await.unwrap();
            let (client, _) = tokio::join!(TcpStream::connect(door.address()), door.accept());
            client.unwrap();
        }
    }
}
