//! What is watched for a path, and what happens there.

use std::ffi::OsString;
use std::io;
use std::time::Duration;

/// The number of a watched folder.
pub(crate) type WatchId = i32;

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
