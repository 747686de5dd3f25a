//! What the files of a profile hold, as the tasks that write them say.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use crate::wire::SinkReply;

/// The states of a profile's files, by path.
#[derive(Debug, Default)]
pub struct SinkBoard(Mutex<BTreeMap<PathBuf, SinkReply>>);

// === impl SinkBoard ===

impl SinkBoard {
    /// Shows the state of a file.
    pub fn show(&self, path: &Path, state: SinkReply) {
        self.lock().insert(path.to_owned(), state);
    }

    /// Shows a file no longer.
    pub fn forget(&self, path: &Path) {
        self.lock().remove(path);
    }

    /// The states of all files.
    pub fn all(&self) -> Vec<SinkReply> {
        self.lock().values().cloned().collect()
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, BTreeMap<PathBuf, SinkReply>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
