//! Sockets that a service manager has bound for us and passes to us (sd_listen_fds(3)).
//!
//! They belong to the manager. We hold no lock for them, they are never stale, and they stay when we stop, so that
//! clients wait for the next daemon instead of failing. Peers are checked as on any other socket.

use std::io;
use std::os::unix::net::UnixListener;
use std::path::{Path, PathBuf};

use listenfd::ListenFd;
use tracing::{info, warn};

use super::unit::misfit;
use crate::config::SocketMode;
use crate::trust::resolve;

/// Name of the token socket (`FileDescriptorName=`).
const TOKENS: &str = "jeton";

/// Name of the admin socket.
const ADMIN: &str = "admin";

/// Upper limit for the number of sockets and for the number of the first descriptor, far above real values.
const MOST: usize = 1_024;

/// The passed sockets.
#[derive(Debug, Default)]
pub struct PassedSockets {
    /// The token socket.
    pub tokens: Option<UnixListener>,
    /// The admin socket.
    pub admin: Option<UnixListener>,
}

/// Reason why the passed sockets cannot be served.
#[derive(Debug)]
#[non_exhaustive]
pub enum ActivationError {
    /// A socket has an unknown name.
    Name(String),
    /// Two sockets have the same name.
    DuplicateName(String),
    /// A descriptor is not a Unix stream socket.
    Kind {
        /// The socket's name.
        name: String,
        /// The error of the check.
        source: io::Error,
    },
    /// A socket does not listen.
    NotListening(String),
    /// The environment states more sockets than possible.
    Count,
}

impl PassedSockets {
    /// Takes over the sockets that were passed according to the environment. `names` is `LISTEN_FDNAMES`. This changes
    /// the environment, so it must run before any thread is started.
    ///
    /// # Errors
    /// [`ActivationError`] for a socket that we cannot serve. It is an error because the service manager expects every
    /// socket to be served.
    pub fn take(names: Option<&str>) -> Result<Self, ActivationError> {
        if !["LISTEN_FDS", "LISTEN_FDS_FIRST_FD"]
            .iter()
            .all(|name| is_sane(name))
        {
            return Err(ActivationError::Count);
        }
        let mut fds = ListenFd::from_env();
        let mut names = names.unwrap_or_default().split(':');
        let mut passed = Self::default();
        for at in 0..fds.len() {
            let name = names.next().unwrap_or_default().to_owned();
            let place = match name.as_str() {
                TOKENS => &mut passed.tokens,
                ADMIN => &mut passed.admin,
                _ => return Err(ActivationError::Name(name)),
            };
            let socket = match fds.take_unix_listener(at) {
                Ok(socket) => socket,
                Err(source) => return Err(ActivationError::Kind { name, source }),
            };
            if !socket.as_ref().is_some_and(listens) {
                return Err(ActivationError::NotListening(name));
            }
            if place.is_some() {
                return Err(ActivationError::DuplicateName(name));
            }
            *place = socket;
        }
        Ok(passed)
    }

    /// Logs the paths of the sockets, and anything unusual about them. `mode` is the token socket's mode according to
    /// the configuration, or `None` while there is no valid one.
    pub fn report(&self, mode: Option<SocketMode>, uid: u32) {
        let both = [
            (&self.tokens, mode),
            (&self.admin, Some(SocketMode::Private)),
        ];
        for (socket, mode) in both {
            let Some(socket) = socket else { continue };
            let Some(path) = path_of(socket) else {
                warn!("a socket that was passed has no path");
                continue;
            };
            info!(socket = %path.display(), "passed by the service manager");
            if let Some(why) = doubt(&path, uid) {
                warn!(socket = %path.display(), "{why}");
            }
            if let Some(misfit) = mode.and_then(|mode| misfit(&path, mode)) {
                warn!(socket = %path.display(), "{misfit}");
            }
        }
    }
}

/// Whether the crate can handle a number in the environment. It allocates as many entries as LISTEN_FDS states, and
/// adds to the number of the first descriptor.
fn is_sane(name: &str) -> bool {
    #[expect(
        clippy::disallowed_methods,
        reason = "the crate also reads this variable, and removes it"
    )]
    let value = std::env::var(name).unwrap_or_default();
    // The crate ignores a value that is not a number.
    value.parse().map_or(true, |n: usize| n <= MOST)
}

/// Returns the path of a socket, or `None` if it has none.
pub fn path_of(socket: &UnixListener) -> Option<PathBuf> {
    socket.local_addr().ok()?.as_pathname().map(Path::to_owned)
}

/// Whether the socket listens (`SO_ACCEPTCONN`).
#[cfg(not(target_vendor = "apple"))]
fn listens(socket: &UnixListener) -> bool {
    rustix::net::sockopt::socket_acceptconn(socket).unwrap_or(false)
}

/// Assumes that it listens: macOS has no such option, and no service manager that passes sockets this way.
#[cfg(target_vendor = "apple")]
fn listens(_: &UnixListener) -> bool {
    true
}

/// Returns what makes the path of a passed socket untrustworthy. The socket is served anyway: the service manager chose
/// the path, and the kernel identifies the peers in any case.
fn doubt(path: &Path, uid: u32) -> Option<String> {
    let folder = path.parent().unwrap_or(Path::new("/"));
    let untrusted = resolve(folder, uid).err()?;
    Some(format!(
        "others could put their own socket in its place: {untrusted}"
    ))
}

// === impl ActivationError ===

impl std::fmt::Display for ActivationError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Name(name) => write!(
                f,
                "a socket was passed under the name {name:?}: name it with FileDescriptorName={TOKENS} or FileDescriptorName={ADMIN}"
            ),
            Self::DuplicateName(name) => write!(
                f,
                "two sockets were passed under the name {name}: only one can be served"
            ),
            Self::Kind { name, source } => write!(
                f,
                "the socket that was passed under the name {name} is not a Unix stream socket: {source}"
            ),
            Self::NotListening(name) => write!(
                f,
                "the socket that was passed under the name {name} does not listen: it needs Accept=no"
            ),
            Self::Count => write!(
                f,
                "LISTEN_FDS or LISTEN_FDS_FIRST_FD is more than {MOST}: unset it, unless a service manager passes sockets"
            ),
        }
    }
}

impl std::error::Error for ActivationError {}

#[cfg(test)]
mod tests {
    use std::fs::Permissions;
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    #[test]
    fn a_passed_socket_in_a_folder_writable_by_others_is_reported() {
        let dir = tempfile::tempdir().unwrap();
        let uid = rustix::process::geteuid().as_raw();
        let path = dir.path().join("jeton.sock");
        let socket = UnixListener::bind(&path).unwrap();
        assert_eq!(path_of(&socket).as_ref(), Some(&path));
        for (mode, is_doubtful) in [(0o700, false), (0o755, false), (0o777, true)] {
            std::fs::set_permissions(dir.path(), Permissions::from_mode(mode)).unwrap();
            let doubt = doubt(&path, uid);
            assert_eq!(doubt.is_some(), is_doubtful, "{doubt:?}");
        }
    }
}
