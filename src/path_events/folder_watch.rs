//! Notices that files may have another content, however they are changed.
//!
//! The folders in which the names of a path are looked up are watched, not the file: a file that is replaced by a rename
//! is another inode, and in a Kubernetes volume a link beside the file changes what the path leads to. The folders above
//! are watched for their own removal and renaming alone, so that a busy `/home` or `/tmp` wakes no process.
//!
//! One descriptor serves all paths.

use std::io;
use std::path::Path;

pub(crate) use super::watched::{Events, NotWatched, WatchId, Watched};

#[cfg(target_os = "linux")]
mod linux;

/// A watch on files.
#[derive(Debug)]
pub(crate) struct FolderWatch {
    #[cfg(target_os = "linux")]
    linux: linux::Watch,
}

/// Adds paths to a [`FolderWatch`]. It is for a thread of its own: a file system may hang.
#[derive(Debug, Clone)]
pub(crate) struct Adder {
    #[cfg(target_os = "linux")]
    linux: linux::Adder,
}

// === impl FolderWatch ===

impl FolderWatch {
    /// A watch on no path yet. It must be made on the event loop.
    ///
    /// # Errors
    /// The system's: it has no inotify, or no descriptor or no further instance of it for this user.
    pub(crate) fn new() -> io::Result<Self> {
        #[cfg(target_os = "linux")]
        return linux::Watch::new().map(|linux| Self { linux });
        #[cfg(not(target_os = "linux"))]
        return Err(io::ErrorKind::Unsupported.into());
    }

    /// A way to add paths on another thread.
    pub(crate) fn adder(&self) -> Adder {
        Adder {
            #[cfg(target_os = "linux")]
            linux: self.linux.adder(),
        }
    }

    /// Watches this folder no longer.
    pub(crate) fn remove(&self, folder: WatchId) {
        #[cfg(target_os = "linux")]
        self.linux.remove(folder);
        #[cfg(not(target_os = "linux"))]
        let _ = folder;
    }

    /// Waits until something has happened. It is not lost when the wait is dropped.
    pub(crate) async fn stirred(&self) {
        #[cfg(target_os = "linux")]
        self.linux.stirred().await;
        #[cfg(not(target_os = "linux"))]
        std::future::pending::<()>().await;
    }

    /// Takes what has happened so far.
    pub(crate) fn take(&self) -> Events {
        #[cfg(target_os = "linux")]
        return self.linux.take();
        #[cfg(not(target_os = "linux"))]
        return Events::default();
    }
}

// === impl Adder ===

impl Adder {
    /// Watches an absolute path from now on. Blocks.
    ///
    /// # Errors
    /// [`NotWatched`]. Then some of its folders may be watched all the same, until the path is added again.
    pub(crate) fn add(&self, path: &Path) -> Result<Watched, NotWatched> {
        #[cfg(target_os = "linux")]
        return self.linux.add(path);
        #[cfg(not(target_os = "linux"))]
        {
            let _ = path;
            Err(NotWatched::Refused(io::ErrorKind::Unsupported.into()))
        }
    }
}
