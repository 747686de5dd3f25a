//! Notices that files may have another content, however they are changed.
//!
//! The folders in which the names of a path are looked up are watched, not the file: a file that is replaced by a rename
//! is another inode, and in a Kubernetes volume a link beside the file changes what the path leads to. The folders above
//! are watched for their own removal and renaming alone, so that a busy `/home` or `/tmp` wakes no process.
//!
//! One descriptor serves all paths.

use std::ffi::OsString;
use std::io;
use std::path::Path;
use std::time::Duration;

#[cfg(target_os = "linux")]
mod linux;

/// The number of a watched folder.
pub(crate) type WatchId = i32;

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

/// What is watched for one path.
#[derive(Debug, Default)]
pub(crate) struct Watched {
    /// The names on the path, each with the folder in which it is looked up.
    pub(crate) names: Vec<(WatchId, OsString)>,
    /// The folders on the path, which may be removed or moved.
    pub(crate) folders: Vec<WatchId>,
    /// Whether there is something at the end of the path.
    pub(crate) is_there: bool,
    /// When a link or the file at the end was changed last, since 1970.
    pub(crate) changed_at: Duration,
}

/// Why a path cannot be watched.
#[derive(Debug)]
pub(crate) enum NotWatched {
    /// Other hosts or programs may change it without a word to this machine's kernel.
    NotLocal,
    /// The file is mounted by itself, as one that is bound into a container.
    MountedByItself,
    /// The system refuses: too many watches are in use, or a part of the path cannot be looked at.
    Refused(io::Error),
}

/// What has happened in the watched folders.
#[derive(Debug, Default)]
pub(crate) struct Events {
    /// These names were changed.
    pub(crate) names: Vec<(WatchId, OsString)>,
    /// These folders were removed, moved or unmounted, or are no longer watched.
    pub(crate) folders: Vec<WatchId>,
    /// Something was mounted or unmounted, so that any path may lead elsewhere.
    pub(crate) is_mounted: bool,
    /// There were more events than the kernel keeps: anything may have happened.
    pub(crate) is_incomplete: bool,
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

// === impl Watched ===

impl Watched {
    /// Every watched folder, as often as it serves this path.
    pub(crate) fn ids(&self) -> impl Iterator<Item = WatchId> {
        let names = self.names.iter().map(|(id, _)| *id);
        names.chain(self.folders.iter().copied())
    }

    /// Whether the path leads through the same folders and links.
    pub(crate) fn leads_as(&self, other: &Self) -> bool {
        self.names == other.names && self.folders == other.folders
    }
}

// === impl NotWatched ===

impl NotWatched {
    /// Why, for people.
    pub(crate) fn reason(&self) -> String {
        match self {
            Self::NotLocal => "other hosts or programs can change it unnoticed".to_owned(),
            Self::MountedByItself => "it is mounted by itself".to_owned(),
            Self::Refused(error) if error.kind() == io::ErrorKind::StorageFull => {
                "this user's limit of watches is used up (fs.inotify.max_user_watches)".to_owned()
            }
            Self::Refused(error) => format!("the system refuses to watch it: {error}"),
        }
    }

    /// Whether it may be possible later, without another file system.
    pub(crate) const fn may_pass(&self) -> bool {
        matches!(self, Self::Refused(_))
    }
}
