//! What the files of a profile hold, as the tasks that write them say.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use crate::wire::SinkReply;

/// The states of a profile's files.
#[derive(Debug, Default)]
pub struct SinkBoard(Mutex<Board>);

#[derive(Debug, Default)]
struct Board {
    /// By path.
    files: BTreeMap<PathBuf, SinkReply>,
    /// The sinks that are not kept, since another one writes the same file.
    refused: Vec<SinkReply>,
}

// === impl SinkBoard ===

impl SinkBoard {
    /// Shows the state of a file.
    pub fn show(&self, path: &Path, state: SinkReply) {
        self.lock().files.insert(path.to_owned(), state);
    }

    /// Shows a file no longer.
    pub fn forget(&self, path: &Path) {
        self.lock().files.remove(path);
    }

    /// Shows these sinks that are not kept, and no others.
    pub fn refuse(&self, refused: Vec<SinkReply>) {
        self.lock().refused = refused;
    }

    /// The states of all files.
    pub fn all(&self) -> Vec<SinkReply> {
        let board = self.lock();
        let all = board.files.values().chain(&board.refused);
        all.cloned().collect()
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Board> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
