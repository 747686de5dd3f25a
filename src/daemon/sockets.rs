//! Both sockets: opened before anything is started, and kept in their places as long as the daemon runs.
//!
//! A socket is only a name in a folder. A logout, a cleaner or a script removes it, another one is put in its place, its
//! folder is moved or mounted over: then nobody can connect any more, and nothing tells the daemon. So the places are
//! watched. A socket that is missing is made again, if its place allows it by the same rules as at the start; if not,
//! the daemon ends, since whoever supervises it can see that, and nobody sees a daemon that cannot be reached.

use std::io;
use std::os::unix::net::UnixListener;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use tokio::sync::{oneshot, watch};
use tracing::{info, warn};

use super::activation::{Passed, path_of};
use super::listener::{Bound, Inode, ListenError, Place, inode, listen_again, listen_at};
use super::server::Server;
use super::service::Door;
use crate::config::SocketMode;
use crate::paths::SocketPlaces;
use crate::trust;

mod keep;

pub use keep::Lost;

/// Where the sockets belong, and for whom.
#[derive(Debug)]
pub(super) struct Places {
    pub(super) paths: SocketPlaces,
    /// Who can connect to the token socket.
    pub(super) mode: SocketMode,
    /// The user that we are.
    pub(super) uid: u32,
    /// Whether both are in a folder that was made for this daemon alone.
    pub(super) private: bool,
}

/// Both sockets.
pub(super) struct Sockets {
    places: Places,
    tokens: Socket,
    admin: Socket,
}

/// The servers behind both sockets.
pub(super) struct Doors {
    pub(super) tokens: Arc<Server>,
    pub(super) admin: Arc<Server>,
}

struct Socket {
    /// Before the listener, and dropped so: while that lives, no other file gets the number by which ours is known.
    origin: Origin,
    listener: UnixListener,
    /// Has the task that accepts end when another listener is in place.
    retire: Option<oneshot::Sender<()>>,
}

enum Origin {
    /// Bound by us.
    Ours(Bound),
    /// Passed by a service manager, who alone can make it again.
    Passed(Option<Seen>),
}

/// A socket that was passed, as it was seen in its place.
struct Seen {
    path: PathBuf,
    inode: Inode,
    is_missing: bool,
}

// === impl Places ===

impl Places {
    fn path(&self, door: Door) -> &Path {
        match door {
            Door::Tokens => &self.paths.token,
            Door::Admin => &self.paths.admin,
        }
    }

    /// Does something with the place of a socket.
    fn at<T>(&self, door: Door, work: impl FnOnce(Place<'_>) -> T) -> T {
        let mut admin_lock = self.paths.admin.clone().into_os_string();
        admin_lock.push(".lock");
        work(match door {
            Door::Tokens => Place {
                socket: &self.paths.token,
                lock: &self.paths.lock,
                mode: self.mode,
                explicit: self.paths.explicit,
                uid: self.uid,
            },
            // Nobody else changes anything, whoever may have tokens.
            Door::Admin => Place {
                socket: &self.paths.admin,
                lock: admin_lock.as_ref(),
                mode: SocketMode::Private,
                explicit: true,
                uid: self.uid,
            },
        })
    }

    fn open(&self, door: Door, passed: Option<UnixListener>) -> Result<Socket, ListenError> {
        let (listener, origin) = match passed {
            Some(listener) => {
                let seen = Seen::of(&listener);
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

    fn open_again(&self, door: Door, bound: &mut Bound) -> Result<UnixListener, ListenError> {
        let above = self.path(door).parent().and_then(Path::parent);
        if let Some(folder) = above.filter(|folder| self.private && !folder.exists()) {
            // It was ours alone, whoever may connect to the socket.
            trust::private_dir(folder, self.uid).map_err(ListenError::Folder)?;
        }
        self.at(door, |place| listen_again(place, bound))
    }
}

// === impl Seen ===

impl Seen {
    /// `None` for one without a path, and for one that we cannot see, as in a folder of root's.
    fn of(listener: &UnixListener) -> Option<Self> {
        let path = path_of(listener)?;
        Some(Self {
            inode: inode(&path).ok()?,
            path,
            is_missing: false,
        })
    }

    /// Says when it is missing, and when it is back.
    fn look(&mut self) {
        let is_missing = inode(&self.path).ok() != Some(self.inode);
        if is_missing && !self.is_missing {
            warn!(socket = %self.path.display(), "the socket that the service manager passed is no longer in its place: nobody can connect until its .socket unit is restarted");
        } else if self.is_missing && !is_missing {
            info!(socket = %self.path.display(), "the socket that the service manager passed is in its place again");
        }
        self.is_missing = is_missing;
    }
}

// === impl Socket ===

impl Socket {
    /// Starts to accept connections.
    fn serve(
        &mut self,
        door: Door,
        server: &Arc<Server>,
        closing: &watch::Receiver<bool>,
    ) -> io::Result<()> {
        let listener = self.listener.try_clone()?;
        listener.set_nonblocking(true)?;
        let listener = tokio::net::UnixListener::from_std(listener)?;
        let (retire, retired) = oneshot::channel();
        let retired = async {
            // Dropped without a word it stays until all are told to close.
            if retired.await.is_err() {
                std::future::pending().await
            }
        };
        let server = Arc::clone(server);
        tokio::spawn(server.run_until(listener, door, closing.clone(), retired));
        if let Some(old) = self.retire.replace(retire) {
            // It may have ended by itself.
            let _: Result<(), ()> = old.send(());
        }
        Ok(())
    }

    /// Where it should be, if that can be seen.
    fn path<'a>(&'a self, door: Door, places: &'a Places) -> Option<&'a Path> {
        match &self.origin {
            Origin::Ours(_) => Some(places.path(door)),
            Origin::Passed(seen) => seen.as_ref().map(|seen| seen.path.as_path()),
        }
    }
}

// === impl Sockets ===

impl Sockets {
    /// Those that were passed, and the others at their places.
    pub(super) fn open(passed: Passed, places: Places) -> Result<Self, ListenError> {
        Ok(Self {
            tokens: places.open(Door::Tokens, passed.tokens)?,
            admin: places.open(Door::Admin, passed.admin)?,
            places,
        })
    }

    /// Where tokens are served, for people.
    pub(super) fn shown(&self) -> String {
        let path = path_of(&self.tokens.listener);
        path.map_or_else(String::new, |path| path.display().to_string())
    }

    /// Whether we have bound the token socket.
    pub(super) const fn tokens_are_ours(&self) -> bool {
        matches!(self.tokens.origin, Origin::Ours(_))
    }

    /// Starts to accept connections at both.
    pub(super) fn serve(
        &mut self,
        doors: &Doors,
        closing: &watch::Receiver<bool>,
    ) -> io::Result<()> {
        self.tokens.serve(Door::Tokens, &doors.tokens, closing)?;
        self.admin.serve(Door::Admin, &doors.admin, closing)
    }
}
