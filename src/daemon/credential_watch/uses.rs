//! Counts which watched folders are still needed.

use std::collections::{BTreeMap, BTreeSet};

use crate::path_events::folder_watch::{FolderWatch, PathWatches, WatchId};

/// The watched folders.
#[derive(Debug, Default)]
pub(super) struct WatchUseCounts {
    /// How many names and folders of watched paths need each watch.
    uses: BTreeMap<WatchId, usize>,
    /// The watches that no path needs.
    unused: BTreeSet<WatchId>,
}

// === impl Uses ===

impl WatchUseCounts {
    pub(super) fn acquire(&mut self, watched: &PathWatches) {
        for id in watched.ids() {
            *self.uses.entry(id).or_default() += 1;
            self.unused.remove(&id);
        }
    }

    pub(super) fn release(&mut self, watched: &PathWatches) {
        for id in watched.ids() {
            let uses = self.uses.entry(id).or_default();
            *uses = uses.saturating_sub(1);
            if *uses == 0 {
                self.uses.remove(&id);
                self.unused.insert(id);
            }
        }
    }

    /// Removes the watches that no path needs.
    pub(super) fn sweep(&mut self, watch: &FolderWatch) {
        for id in std::mem::take(&mut self.unused) {
            watch.remove(id);
        }
    }
}
