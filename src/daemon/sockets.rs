//! Both sockets: opened before anything else is started, and kept in place as long as the daemon runs.
//!
//! A logout, a cleaner or a script can remove or replace a socket or its folder, and then clients cannot reach the
//! daemon. So the daemon watches the paths and creates a missing socket again, by the same rules as at the start. If it
//! cannot, it ends.

use std::io;
use std::os::unix::net::UnixListener;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::oneshot;
use tokio::task::JoinSet;

use super::serve::acceptor::Acceptor;
use super::serve::server::Server;
use super::service::SocketKind;
use super::shutdown::Shutdown;
use crate::config::SocketMode;
use crate::paths::SocketPlaces;
use crate::trust;
use activation::{PassedSockets, path_of};
use listen_error::ListenError;
use listener::{BoundSocket, listen_again, listen_at, warn_of_volume};
use passed_socket::PassedSocket;
use socket_spec::SocketSpec;

pub mod activation;
pub mod drop_in;
mod keep;
pub mod listen_error;
pub mod listener;
pub(in crate::daemon) mod mode;
mod passed_socket;
pub mod socket_spec;
pub mod unit;

pub use keep::LostSocket;

/// The paths of the sockets, and which users can connect.
#[derive(Debug)]
pub(super) struct SocketSpecs {
    pub(super) paths: SocketPlaces,
    pub(super) mode: SocketMode,
    /// Whether the mode is that of the configuration. If not, it is private for now.
    pub(super) is_mode_decided: bool,
    /// The user that the daemon runs as.
    pub(super) uid: u32,
    /// Whether both sockets are below a private folder that was made for this daemon only.
    pub(super) private: bool,
    /// Whether other users reach the token socket through that folder.
    pub(super) has_guests: bool,
}

/// The mode of a folder that guests pass through. They cannot list it.
const PASSABLE: u16 = 0o711;

/// Both sockets.
pub(super) struct Sockets {
    places: SocketSpecs,
    tokens: Socket,
    admin: Socket,
}

/// The servers behind both sockets, and the tasks that run them.
pub(super) struct Servers {
    tokens: Arc<Server>,
    admin: Arc<Server>,
    /// One task per listener.
    running: Mutex<JoinSet<usize>>,
}

struct Socket {
    /// Declared before the listener, so that it is dropped first. While the listener is open, no other file gets our
    /// inode number.
    origin: Origin,
    listener: UnixListener,
    /// Stops the task that accepts connections, once another listener has replaced this one.
    retire: Option<oneshot::Sender<()>>,
}

enum Origin {
    /// Bound by the daemon.
    Ours(BoundSocket),
    /// Passed by a service manager. Only the manager can create the socket again.
    Passed(Option<PassedSocket>),
}

// === impl Servers ===

impl Servers {
    /// Creates the servers. None runs yet.
    pub(super) fn new(tokens: Arc<Server>, admin: Arc<Server>) -> Self {
        Self {
            tokens,
            admin,
            running: Mutex::default(),
        }
    }

    fn behind(&self, door: SocketKind) -> &Arc<Server> {
        match door {
            SocketKind::Tokens => &self.tokens,
            SocketKind::Admin => &self.admin,
        }
    }

    fn run(
        &self,
        listener: Acceptor,
        door: SocketKind,
        retired: impl Future<Output = ()> + Send + 'static,
        shutdown: Shutdown,
    ) {
        let server = Arc::clone(self.behind(door));
        let mut running = self.lock();
        // Remove the tasks of replaced listeners.
        while running.try_join_next().is_some() {}
        running.spawn(server.run(listener, door, retired, shutdown));
    }

    /// Waits until all servers have stopped. The shutdown that they were started with must have been ordered. Returns
    /// the number of connections that were closed at its deadline.
    pub(super) async fn stopped(&self) -> usize {
        let mut running = std::mem::take(&mut *self.lock());
        let mut closed = 0;
        while let Some(ended) = running.join_next().await {
            closed += ended.unwrap_or_default();
        }
        closed
    }

    fn lock(&self) -> MutexGuard<'_, JoinSet<usize>> {
        self.running.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

// === impl Places ===

impl SocketSpecs {
    fn path(&self, door: SocketKind) -> &Path {
        match door {
            SocketKind::Tokens => &self.paths.token,
            SocketKind::Admin => &self.paths.admin,
        }
    }

    /// Calls `work` with the place of a socket.
    fn at<T>(&self, door: SocketKind, work: impl FnOnce(SocketSpec<'_>) -> T) -> T {
        let mut admin_lock = self.paths.admin.clone().into_os_string();
        admin_lock.push(".lock");
        work(match door {
            SocketKind::Tokens => SocketSpec {
                socket: &self.paths.token,
                lock: &self.paths.lock,
                mode: self.mode,
                is_mode_decided: self.is_mode_decided,
                explicit: self.paths.explicit,
                below_volume: self.paths.below_volume(),
                uid: self.uid,
            },
            // The admin socket is private, even if other users may get tokens.
            SocketKind::Admin => SocketSpec {
                socket: &self.paths.admin,
                lock: admin_lock.as_ref(),
                mode: SocketMode::Private,
                is_mode_decided: true,
                explicit: true,
                below_volume: self.paths.admin_below_volume(),
                uid: self.uid,
            },
        })
    }

    fn open(&self, door: SocketKind, passed: Option<UnixListener>) -> Result<Socket, ListenError> {
        let (listener, origin) = match passed {
            Some(listener) => {
                let seen = PassedSocket::of(&listener);
                (listener, Origin::Passed(seen))
            }
            None => {
                let (listener, bound) = self.at(door, listen_at)?;
                (listener, Origin::Ours(bound))
            }
        };
        Ok(Socket {
            listener,
            origin,
            retire: None,
        })
    }

    fn open_again(
        &self,
        door: SocketKind,
        bound: &mut BoundSocket,
    ) -> Result<UnixListener, ListenError> {
        let tokens = self.path(SocketKind::Tokens).parent();
        if let Some(folder) = tokens.filter(|_| self.has_guests) {
            trust::make_folders(folder, self.uid, PASSABLE).map_err(ListenError::Folder)?;
        }
        let above = self.path(door).parent().and_then(Path::parent);
        if let Some(folder) = above.filter(|folder| self.private && !folder.exists()) {
            // The folder is private, even if other users may connect to the socket.
            trust::private_dir(folder, self.uid).map_err(ListenError::Folder)?;
        }
        self.at(door, |place| listen_again(place, bound))
    }
}

// === impl Socket ===

impl Socket {
    /// Starts to accept connections.
    fn serve(
        &mut self,
        door: SocketKind,
        servers: &Servers,
        shutdown: &Shutdown,
    ) -> io::Result<()> {
        let listener = Acceptor::new(self.listener.try_clone()?)?;
        let (retire, retired) = oneshot::channel();
        let retired = async {
            // When the daemon stops, the sender is just dropped, and the shutdown ends the task.
            if retired.await.is_err() {
                std::future::pending::<()>().await;
            }
        };
        servers.run(listener, door, retired, shutdown.clone());
        if let Some(old) = self.retire.replace(retire) {
            // The task may have ended already.
            let _: Result<(), ()> = old.send(());
        }
        Ok(())
    }

    /// Returns the socket that we have bound, or `None` for a passed one.
    const fn bound(&self) -> Option<&BoundSocket> {
        match &self.origin {
            Origin::Ours(bound) => Some(bound),
            Origin::Passed(_) => None,
        }
    }

    /// Returns the socket's path, unless we cannot see it.
    fn path<'a>(&'a self, door: SocketKind, places: &'a SocketSpecs) -> Option<&'a Path> {
        match &self.origin {
            Origin::Ours(_) => Some(places.path(door)),
            Origin::Passed(seen) => seen.as_ref().map(|seen| seen.path.as_path()),
        }
    }
}

// === impl Sockets ===

impl Sockets {
    /// Takes over the passed sockets, and binds the others.
    pub(super) fn open(passed: PassedSockets, places: SocketSpecs) -> Result<Self, ListenError> {
        let sockets = Self {
            tokens: places.open(SocketKind::Tokens, passed.tokens)?,
            admin: places.open(SocketKind::Admin, passed.admin)?,
            places,
        };
        let ours = [&sockets.tokens, &sockets.admin].map(Socket::bound);
        warn_of_volume(ours.into_iter().flatten());
        Ok(sockets)
    }

    /// Returns the path of the token socket, for messages.
    pub(super) fn shown(&self) -> String {
        let path = path_of(&self.tokens.listener);
        path.map_or_else(String::new, |path| path.display().to_string())
    }

    /// Whether we have bound the token socket.
    pub(super) const fn tokens_are_ours(&self) -> bool {
        matches!(self.tokens.origin, Origin::Ours(_))
    }

    /// Returns the path of a token socket that a service manager has created. Returns `None` if it has no path, or if
    /// the socket is ours.
    pub(super) fn passed_tokens(&self) -> Option<PathBuf> {
        match self.tokens.origin {
            Origin::Ours(_) => None,
            Origin::Passed(_) => path_of(&self.tokens.listener),
        }
    }

    /// Starts to accept connections on both sockets.
    pub(super) fn serve(&mut self, servers: &Servers, shutdown: &Shutdown) -> io::Result<()> {
        self.tokens.serve(SocketKind::Tokens, servers, shutdown)?;
        self.admin.serve(SocketKind::Admin, servers, shutdown)
    }
}
