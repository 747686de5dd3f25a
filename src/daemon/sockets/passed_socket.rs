//! A socket that a service manager has passed, as it was at the start.

use std::os::unix::net::UnixListener;
use std::path::PathBuf;

use tracing::{info, warn};

use super::activation::path_of;
use super::socket_spec::{Inode, inode};

/// A passed socket, as it was at the start.
pub(super) struct PassedSocket {
    pub(super) path: PathBuf,
    inode: Inode,
    is_missing: bool,
}

// === impl Seen ===

impl PassedSocket {
    /// Records a passed socket. Returns `None` if it has no path, or if we cannot see it, for example in a folder of
    /// root.
    pub(super) fn of(listener: &UnixListener) -> Option<Self> {
        let path = path_of(listener)?;
        Some(Self {
            inode: inode(&path).ok()?,
            path,
            is_missing: false,
        })
    }

    /// Logs a line when the socket disappears, and one when it is back.
    pub(super) fn look(&mut self) {
        let is_missing = inode(&self.path).ok() != Some(self.inode);
        if is_missing && !self.is_missing {
            warn!(socket = %self.path.display(), "the socket that the service manager passed is missing: no client can connect until its .socket unit is restarted");
        } else if self.is_missing && !is_missing {
            info!(socket = %self.path.display(), "the socket that the service manager passed is back");
        }
        self.is_missing = is_missing;
    }
}
