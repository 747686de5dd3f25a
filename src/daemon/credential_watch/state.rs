//! What is done to notice a change of one file.

use super::uses::Uses;
use crate::path_events::folder_watch::Watched;

/// What is done to notice a change of a file.
pub(super) enum State {
    /// It was not added yet.
    New,
    /// It is watched.
    Watched(Watched),
    /// It is looked at; whether it may be possible to watch it later.
    Polled {
        /// The reason why it is not watched may pass.
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

    /// No longer counts what was watched as used.
    pub(super) fn release(self, uses: &mut Uses) {
        if let Self::Watched(watched) = self {
            uses.release(&watched);
        }
    }
}
