//! The place of a socket: its path, its lock, and which users can connect.

use std::io;
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;

use crate::config::SocketMode;
use crate::trust::{Sharing, SocketFolder};

/// The place of a socket: its path, its lock, and which users can connect.
#[derive(Debug, Clone, Copy)]
pub struct SocketSpec<'a> {
    /// The path of the socket.
    pub socket: &'a Path,
    /// The path of its lock.
    pub lock: &'a Path,
    /// Which users can connect.
    pub mode: SocketMode,
    /// Whether the mode is decided. If not, it is private for now.
    pub is_mode_decided: bool,
    /// Whether the user named the folder, so that it is not ours to change.
    pub explicit: bool,
    /// How many folders deep the socket may be below a volume that every user can write to. `None` refuses such a
    /// volume.
    pub below_volume: Option<usize>,
    /// The user that the daemon runs as.
    pub uid: u32,
}

/// Identity of a file, independent of its name: device and inode number.
pub type Inode = (u64, u64);

/// Returns which users can enter the folder of a socket with this mode.
pub const fn sharing(mode: SocketMode) -> Sharing {
    match mode {
        SocketMode::Private => Sharing::Nobody,
        SocketMode::Group(group) => Sharing::Group(group),
        SocketMode::All => Sharing::Everybody,
    }
}

/// Identifies the file at a path. Does not follow a link there.
///
/// # Errors
/// The system's errors. [`io::ErrorKind::NotFound`] means that there is no file.
pub fn inode(path: &Path) -> io::Result<Inode> {
    path.symlink_metadata().map(|meta| (meta.dev(), meta.ino()))
}

// === impl Place ===

impl<'a> SocketSpec<'a> {
    /// Returns the socket's folder. While the mode is not decided, an existing folder stays as it is, because it may
    /// already admit the right users. A folder that we have created is ours to change, even if the user named it.
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
