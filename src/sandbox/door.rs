//! The main port, which can be closed and opened again without losing it.

use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use tokio::net::{TcpListener, TcpSocket, TcpStream};

/// How many connections wait to be accepted.
const BACKLOG: u32 = 1_024;

/// How often, and in what pace, the port is tried when something else has it: two seconds in all.
const TRIES: usize = 100;
const TRY_EVERY: Duration = Duration::from_millis(20);

/// The pause after a failed accept. The usual reason is that no descriptor is free, and that lasts.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);

/// A port of ours, open or closed.
#[derive(Debug)]
pub(super) struct Door {
    address: SocketAddr,
    listener: Option<TcpListener>,
    /// A socket bound to the port that never listens. While the door is closed the kernel would else give the port
    /// to anyone who asks for a free one, to the very client that tries to connect even, who would then meet itself
    /// (a TCP simultaneous open). Not every system lets two sockets bind; without it the port is merely tried again.
    _reservation: Option<TcpSocket>,
}

impl Door {
    /// Opens `address`; port 0 is any free one.
    pub(super) fn open(address: SocketAddr) -> io::Result<Self> {
        let socket = bound(address)?;
        let address = socket.local_addr()?;
        // before the first listens: afterwards the port could not be bound twice
        let reservation = bound(address).ok();
        Ok(Self {
            address,
            listener: Some(socket.listen(BACKLOG)?),
            _reservation: reservation,
        })
    }

    pub(super) const fn address(&self) -> SocketAddr {
        self.address
    }

    /// Refuses connections from now on, and resets those not yet accepted.
    pub(super) fn close(&mut self) {
        self.listener = None;
    }

    /// Takes connections again, on the same port.
    pub(super) async fn reopen(&mut self) -> io::Result<()> {
        if self.listener.is_some() {
            return Ok(());
        }
        let mut tries = 0;
        loop {
            match bound(self.address).and_then(|socket| socket.listen(BACKLOG)) {
                Ok(listener) => {
                    self.listener = Some(listener);
                    return Ok(());
                }
                Err(in_use) if in_use.kind() == io::ErrorKind::AddrInUse && tries < TRIES => {
                    tries += 1;
                    tokio::time::sleep(TRY_EVERY).await;
                }
                Err(fault) => return Err(fault),
            }
        }
    }

    /// The next connection; while the door is closed there is none.
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
    // connections of the port's earlier life may still be in TIME-WAIT
    socket.set_reuseaddr(true)?;
    socket.bind(address)?;
    Ok(socket)
}
