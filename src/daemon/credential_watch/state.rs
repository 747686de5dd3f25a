//! The way in which a change of one file is noticed.

use super::uses::WatchUseCounts;
use crate::path_events::folder_watch::PathWatches;

/// The way in which a change of a file is noticed.
pub(super) enum State {
    /// It was not added yet.
    New,
    /// It is watched.
    Watched(PathWatches),
    /// It is polled.
    Polled {
        /// Whether the reason for not watching it may pass, so that it can be watched later.
        may_pass: bool,
    },
}

// === impl State ===

impl State {
    /// Whether there was a file, as far as is known.
    pub(super) const fn may_be_there(&self) -> bool {
        match self {
            Self::New => false,
            Self::Watched(watched) => watched.is_there,
            Self::Polled { .. } => true,
        }
    }

    /// Releases the watched folders.
    pub(super) fn release(self, uses: &mut WatchUseCounts) {
        if let Self::Watched(watched) = self {
            uses.release(&watched);
        }
    }
}
