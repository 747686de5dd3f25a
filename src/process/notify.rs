//! Messages to the service manager (sd_notify(3)).
//!
//! `Type=notify-reload` needs systemd 253, so a unit for Debian 12 has `Type=notify`, and a reload is reported with
//! `RELOADING=1` and `READY=1`.
//!
//! The small crates for this open a socket for each message (which fails when no descriptor is left), block while the
//! manager does not read, and mistake abstract addresses (`@…`, of container managers) for paths. Hence this module.

use std::ffi::OsStr;
use std::io;
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::net::{SocketAddr, UnixDatagram};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use tracing::{info, warn};

use crate::clock;

/// The number of attempts while the manager does not read, and the pause between them: one second in all.
const TRIES: u32 = 50;
const PAUSE: Duration = Duration::from_millis(20);

/// The connection to the service manager, if there is one.
#[derive(Debug, Clone)]
pub struct Notify(Option<Arc<Manager>>);

#[derive(Debug)]
struct Manager {
    /// Stays open but unconnected: after a restart the manager has another socket at the same address.
    socket: UnixDatagram,
    address: SocketAddr,
    /// Whether the last message was lost.
    is_deaf: AtomicBool,
}

// === impl Notify ===

impl Notify {
    /// Creates the connection. `address` is `NOTIFY_SOCKET`; without it, nothing is sent.
    pub fn new(address: Option<&OsStr>) -> Self {
        let manager = address.and_then(|address| {
            Manager::new(address)
                .inspect_err(|error| {
                    let address = address.display();
                    warn!(%error, %address, "cannot notify the service manager: NOTIFY_SOCKET is neither an absolute path nor an abstract address");
                })
                .ok()
        });
        Self(manager.map(Arc::new))
    }

    /// Reports whether there is a service manager.
    pub const fn listens(&self) -> bool {
        self.0.is_some()
    }

    /// Reports to the manager that the daemon serves, or has reloaded its configuration. `status` is one line.
    pub async fn ready(&self, status: &str) {
        self.notify(&format!("READY=1\nSTATUS={status}\n")).await;
    }

    /// Reports that a reload has begun.
    pub async fn reloading(&self) {
        let now = clock::monotonic().as_micros();
        self.notify(&format!("RELOADING=1\nMONOTONIC_USEC={now}\n"))
            .await;
    }

    /// Reports the current state, in one line.
    pub async fn status(&self, status: &str) {
        self.notify(&format!("STATUS={status}\n")).await;
    }

    /// Pings the watchdog, after the daemon has served a request.
    pub async fn alive(&self) {
        self.notify("WATCHDOG=1\n").await;
    }

    /// Reports that the daemon is stopping.
    pub async fn stopping(&self) {
        self.notify("STOPPING=1\nSTATUS=stopping\n").await;
    }

    /// Sends a message. Logs when the manager becomes unreachable, since it may then kill the daemon, and when it is
    /// reachable again.
    async fn notify(&self, state: &str) {
        let Some(manager) = &self.0 else { return };
        match manager.send(state).await {
            Ok(()) => {
                if manager.is_deaf.swap(false, Ordering::Relaxed) {
                    info!("the service manager can be notified again");
                }
            }
            Err(error) => {
                if !manager.is_deaf.swap(true, Ordering::Relaxed) {
                    let what = state.lines().next();
                    warn!(%error, what, "the service manager could not be notified");
                }
            }
        }
    }
}

// === impl Manager ===

impl Manager {
    fn new(address: &OsStr) -> io::Result<Self> {
        let address = parse(address)?;
        let socket = UnixDatagram::unbound()?;
        socket.set_nonblocking(true)?;
        Ok(Self {
            socket,
            address,
            is_deaf: AtomicBool::new(false),
        })
    }

    async fn send(&self, state: &str) -> io::Result<()> {
        for _ in 0..TRIES {
            match self.socket.send_to_addr(state.as_bytes(), &self.address) {
                Ok(_) => return Ok(()),
                Err(e) if e.kind() == io::ErrorKind::WouldBlock => {
                    tokio::time::sleep(PAUSE).await;
                }
                Err(e) => return Err(e),
            }
        }
        Err(io::ErrorKind::TimedOut.into())
    }
}

/// Parses an absolute path, or an abstract address after `@`.
fn parse(address: &OsStr) -> io::Result<SocketAddr> {
    match address.as_bytes() {
        [b'/', ..] => SocketAddr::from_pathname(address),
        #[cfg(target_os = "linux")]
        [b'@', name @ ..] if !name.is_empty() => {
            use std::os::linux::net::SocketAddrExt as _;
            SocketAddr::from_abstract_name(name)
        }
        _ => Err(io::ErrorKind::InvalidInput.into()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_notify_address_is_a_path_or_an_abstract_name() {
        let address = |text: &str| parse(OsStr::new(text));
        let path = address("/run/systemd/notify").unwrap();
        assert_eq!(
            path.as_pathname().unwrap().to_str(),
            Some("/run/systemd/notify")
        );
        assert!(address("@notify").is_ok_and(|address| address.as_pathname().is_none()));
        for bad in [
            "",
            "@",
            "run/notify",
            "vsock:2:1234",
            &format!("/{}", "x".repeat(200)),
        ] {
            assert!(address(bad).is_err(), "{bad}");
        }
    }

    #[tokio::test(start_paused = true)]
    async fn notifications_stop_when_the_manager_reads_nothing_for_a_second() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("notify");
        let manager = UnixDatagram::bind(&path).unwrap();
        let notify = Notify::new(Some(path.as_os_str()));
        let is_deaf = || notify.0.as_ref().unwrap().is_deaf.load(Ordering::Relaxed);
        // Fill the manager's queue.
        for _ in 0..10_000 {
            notify.status("1 profile, 1 ready").await;
            if is_deaf() {
                break;
            }
        }
        assert!(is_deaf());
        manager.set_nonblocking(true).unwrap();
        while manager.recv(&mut [0; 64]).is_ok() {}
        notify.ready("1 profile, 1 ready").await;
        let mut said = [0; 64];
        let n = manager.recv(&mut said).unwrap();
        assert_eq!(&said[..n], b"READY=1\nSTATUS=1 profile, 1 ready\n");
        assert!(!is_deaf());
    }
}
