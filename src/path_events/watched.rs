//! The watches of a path, and their events.

use std::ffi::OsString;
use std::io;
use std::time::Duration;

/// The kernel's number of a watched folder.
pub(crate) type WatchId = i32;

/// The watches of one path.
#[derive(Debug, Default)]
pub(crate) struct PathWatches {
    /// The names on the path, each with the folder in which it is looked up.
    pub(crate) names: Vec<(WatchId, OsString)>,
    /// The folders on the path that may be removed or moved.
    pub(crate) folders: Vec<WatchId>,
    /// Whether a file exists at the end of the path.
    pub(crate) is_there: bool,
    /// When a link or the file at the end was last changed, since 1970.
    pub(crate) changed_at: Duration,
}

/// The reason why a path cannot be watched.
#[derive(Debug)]
pub(crate) enum NotWatched {
    /// Other hosts or programs may change it unnoticed by this machine's kernel.
    NotLocal,
    /// The file is a mount point of its own, like a file that is bind-mounted into a container.
    MountedByItself,
    /// The system refuses: too many watches are in use, or a part of the path cannot be read.
    Refused(io::Error),
}

/// Events in the watched folders.
#[derive(Debug, Default)]
pub(crate) struct Events {
    /// Names whose content may have changed.
    pub(crate) names: Vec<(WatchId, OsString)>,
    /// Folders that were removed, moved or unmounted, or are no longer watched.
    pub(crate) folders: Vec<WatchId>,
    /// Whether a file system was mounted or unmounted, so that any path may lead elsewhere.
    pub(crate) is_mounted: bool,
    /// Whether events were lost because the kernel's queue was full. Anything may have happened then.
    pub(crate) is_incomplete: bool,
}

// === impl Watched ===

impl PathWatches {
    /// Returns every watched folder, as many times as this path needs it.
    pub(crate) fn ids(&self) -> impl Iterator<Item = WatchId> {
        let names = self.names.iter().map(|(id, _)| *id);
        names.chain(self.folders.iter().copied())
    }

    /// Whether both paths lead through the same folders and links.
    pub(crate) fn has_same_route(&self, other: &Self) -> bool {
        self.names == other.names && self.folders == other.folders
    }
}

// === impl NotWatched ===

impl NotWatched {
    /// Returns the reason in words.
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

    /// Whether watching may become possible later without a change of the file system.
    pub(crate) const fn may_pass(&self) -> bool {
        matches!(self, Self::Refused(_))
    }
}
