//! Sockets that a service manager has bound for us and passes (sd_listen_fds(3)).
//!
//! They belong to the manager: we hold no lock for them, they are never stale, and they stay when we stop, so that
//! clients wait for the next daemon instead of failing. Peers are checked as on any other socket.

use std::io;
use std::os::unix::net::UnixListener;
use std::path::{Path, PathBuf};

use listenfd::ListenFd;
use tracing::{info, warn};

use super::unit::misfit;
use crate::config::SocketMode;
use crate::trust::resolve;

/// The name of the token socket (`FileDescriptorName=`).
const TOKENS: &str = "jeton";

/// The name of the admin socket.
const ADMIN: &str = "admin";

/// The maximum of both the number of sockets and the number of the first descriptor, far more than there are.
const MOST: usize = 1_024;

/// The sockets that were passed.
#[derive(Debug, Default)]
pub struct Passed {
    /// The token socket.
    pub tokens: Option<UnixListener>,
    /// The admin socket.
    pub admin: Option<UnixListener>,
}

/// Why the sockets that were passed cannot be served.
#[derive(Debug)]
#[non_exhaustive]
pub enum ActivationError {
    /// A socket has another name than ours.
    Name(String),
    /// Two sockets have the same name.
    Twice(String),
    /// It is not a Unix stream socket.
    Kind {
        /// Its name.
        name: String,
        /// What it is.
        source: io::Error,
    },
    /// It does not listen.
    Deaf(String),
    /// The environment says that there are more sockets than there can be.
    Count,
}

impl Passed {
    /// Takes the sockets that the environment says were passed; `names` is `LISTEN_FDNAMES`. It changes the
    /// environment, so it must run before any thread is started.
    ///
    /// # Errors
    /// [`ActivationError`] for a socket that we cannot serve: the service manager expects that it is served.
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
                return Err(ActivationError::Deaf(name));
            }
            if place.is_some() {
                return Err(ActivationError::Twice(name));
            }
            *place = socket;
        }
        Ok(passed)
    }

    /// Says where the sockets are, and what is unusual about their places. `mode` is what the configuration says of the
    /// token socket; `None` while it cannot be used.
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

/// Whether the crate can use a number in the environment: it allocates as many entries as LISTEN_FDS says, and adds to
/// the number of the first.
fn is_sane(name: &str) -> bool {
    #[expect(
        clippy::disallowed_methods,
        reason = "the crate reads it as well, and removes it"
    )]
    let value = std::env::var(name).unwrap_or_default();
    // The crate ignores what is not a number.
    value.parse().map_or(true, |n: usize| n <= MOST)
}

/// Where a socket is; `None` for one without a path.
pub fn path_of(socket: &UnixListener) -> Option<PathBuf> {
    socket.local_addr().ok()?.as_pathname().map(Path::to_owned)
}

/// Whether it listens (`SO_ACCEPTCONN`).
#[cfg(not(target_vendor = "apple"))]
fn listens(socket: &UnixListener) -> bool {
    rustix::net::sockopt::socket_acceptconn(socket).unwrap_or(false)
}

/// macOS has no such option, and no service manager that passes sockets this way.
#[cfg(target_vendor = "apple")]
fn listens(_: &UnixListener) -> bool {
    true
}

/// Returns what makes the place of a passed socket doubtful. That is no reason not to serve it: the service manager
/// chose the place, and the kernel identifies the peers in any case.
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
            Self::Twice(name) => write!(
                f,
                "two sockets were passed under the name {name}: only one can be served"
            ),
            Self::Kind { name, source } => write!(
                f,
                "the socket that was passed under the name {name} is not a Unix stream socket: {source}"
            ),
            Self::Deaf(name) => write!(
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
    fn a_place_that_others_can_use_is_doubtful() {
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
