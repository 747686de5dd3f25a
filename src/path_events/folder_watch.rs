//! Notices when the content of files may have changed, however they are written or replaced.
//!
//! The watches are on the folders in which the names of a path are looked up, not on the file. A file that is replaced
//! by a rename is another inode, and in a Kubernetes volume a link beside the file changes where the path leads. The
//! folders further up are watched only for their own removal and renaming, so that a busy `/home` or `/tmp` wakes no
//! process.
//!
//! One descriptor serves all paths.

use std::io;
use std::path::Path;

pub(crate) use super::watched::{Events, NotWatched, PathWatches, WatchId};

#[cfg(target_os = "linux")]
mod linux;

/// A watch on files.
#[derive(Debug)]
pub(crate) struct FolderWatch {
    #[cfg(target_os = "linux")]
    linux: linux::Watch,
}

/// Adds paths to a [`FolderWatch`]. Use it on a separate thread, because a file system may hang.
#[derive(Debug, Clone)]
pub(crate) struct WatchAdder {
    #[cfg(target_os = "linux")]
    linux: linux::WatchAdder,
}

// === impl FolderWatch ===

impl FolderWatch {
    /// Creates a watch without paths. Call it on the event loop.
    ///
    /// # Errors
    /// The system's errors: it has no inotify, no descriptor, or no further inotify instance for this user.
    pub(crate) fn new() -> io::Result<Self> {
        #[cfg(target_os = "linux")]
        return linux::Watch::new().map(|linux| Self { linux });
        #[cfg(not(target_os = "linux"))]
        return Err(io::ErrorKind::Unsupported.into());
    }

    /// Returns a handle that adds paths from another thread.
    pub(crate) fn adder(&self) -> WatchAdder {
        WatchAdder {
            #[cfg(target_os = "linux")]
            linux: self.linux.adder(),
        }
    }

    /// Stops watching this folder.
    pub(crate) fn remove(&self, folder: WatchId) {
        #[cfg(target_os = "linux")]
        self.linux.remove(folder);
        #[cfg(not(target_os = "linux"))]
        let _ = folder;
    }

    /// Waits for an event. Cancelling the wait does not lose the event.
    pub(crate) async fn wait_for_event(&self) {
        #[cfg(target_os = "linux")]
        self.linux.wait_for_event().await;
        #[cfg(not(target_os = "linux"))]
        std::future::pending::<()>().await;
    }

    /// Takes all events since the last call.
    pub(crate) fn take(&self) -> Events {
        #[cfg(target_os = "linux")]
        return self.linux.take();
        #[cfg(not(target_os = "linux"))]
        return Events::default();
    }
}

// === impl Adder ===

impl WatchAdder {
    /// Starts to watch an absolute path. Blocks.
    ///
    /// # Errors
    /// [`NotWatched`]. Some of the path's folders may be watched anyway, until the path is added again.
    pub(crate) fn add(&self, path: &Path) -> Result<PathWatches, NotWatched> {
        #[cfg(target_os = "linux")]
        return self.linux.add(path);
        #[cfg(not(target_os = "linux"))]
        {
            let _ = path;
            Err(NotWatched::Refused(io::ErrorKind::Unsupported.into()))
        }
    }
}
