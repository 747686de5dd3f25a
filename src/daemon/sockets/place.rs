//! The place of a socket: its path, its folder, and which users can connect.

use std::io;
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;

use crate::config::SocketMode;
use crate::trust::{Sharing, SocketFolder};

/// The place of a socket, and which users can connect.
#[derive(Debug, Clone, Copy)]
pub struct Place<'a> {
    /// The socket.
    pub socket: &'a Path,
    /// Its lock.
    pub lock: &'a Path,
    /// Which users can connect.
    pub mode: SocketMode,
    /// Whether the mode is decided; else it is private for the time being.
    pub is_mode_decided: bool,
    /// Whether the folder was named by the user, and so is not ours to change.
    pub explicit: bool,
    /// How many folders it may be below a volume that everybody can write to; `None` where such a volume is refused.
    pub below_volume: Option<usize>,
    /// The user that the daemon runs as.
    pub uid: u32,
}

/// Identity of a file, whatever its name: device and inode number.
pub type Inode = (u64, u64);

/// Which users can enter the folder of a socket with this mode.
pub const fn sharing(mode: SocketMode) -> Sharing {
    match mode {
        SocketMode::Private => Sharing::Nobody,
        SocketMode::Group(group) => Sharing::Group(group),
        SocketMode::All => Sharing::Everybody,
    }
}

/// Identifies the file at a path, without following a link there.
///
/// # Errors
/// The system's; [`io::ErrorKind::NotFound`] when there is nothing.
pub fn inode(path: &Path) -> io::Result<Inode> {
    path.symlink_metadata().map(|meta| (meta.dev(), meta.ino()))
}

// === impl Place ===

impl<'a> Place<'a> {
    /// Its folder. While the mode is not decided, a folder that is there stays as it is: it may already let in those whom
    /// the mode will. A folder that we have created is ours to change, also where the user named it.
    pub fn folder(&self, is_new: bool) -> SocketFolder<'a> {
        let path = self.socket.parent().unwrap_or(Path::new("."));
        let is_kept = !self.is_mode_decided && !is_new;
        let as_found = is_kept.then(|| Sharing::of_folder(path)).flatten();
        SocketFolder {
            path,
            uid: self.uid,
            sharing: as_found.unwrap_or(sharing(self.mode)),
            named: as_found.is_some() || (self.explicit && !is_new),
            below_volume: self.below_volume,
        }
    }
}
