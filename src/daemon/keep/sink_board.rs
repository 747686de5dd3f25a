//! The state of the files that a profile's token is written to, as reported by the tasks that write them.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use tokio::sync::Notify;

use crate::wire::SinkReply;

/// The states of a profile's files.
#[derive(Debug, Default)]
pub struct SinkBoard {
    board: Mutex<Board>,
    /// Wakes the tasks that wait until a lock of the store has been acted on.
    heeds: Notify,
}

#[derive(Debug, Default)]
struct Board {
    /// By path.
    files: BTreeMap<PathBuf, SinkReply>,
    /// The sinks that are not written, because another sink writes the same file.
    refused: Vec<SinkReply>,
    /// The last lock of the store that each file's task has acted on.
    heeded: BTreeMap<PathBuf, u64>,
}

// === impl SinkBoard ===

impl SinkBoard {
    /// Shows the state of a file.
    pub fn show(&self, path: &Path, state: SinkReply) {
        self.lock().files.insert(path.to_owned(), state);
    }

    /// Removes a file from the board.
    pub fn forget(&self, path: &Path) {
        let mut board = self.lock();
        board.files.remove(path);
        board.heeded.remove(path);
        drop(board);
        self.heeds.notify_waiters();
    }

    /// Records that a file's task has acted on this lock of the store and all earlier ones.
    pub fn heed(&self, path: &Path, locks: u64) {
        let before = self.lock().heeded.insert(path.to_owned(), locks);
        if before != Some(locks) {
            self.heeds.notify_waiters();
        }
    }

    /// Waits until the tasks of all files on the board have acted on this lock of the store.
    pub async fn heeded(&self, locks: u64) {
        loop {
            let mut changed = std::pin::pin!(self.heeds.notified());
            // Register first: a change after this line ends the wait.
            changed.as_mut().enable();
            let is_heeded = {
                let board = self.lock();
                let heeds = |path| board.heeded.get(path).is_some_and(|it| *it >= locks);
                board.files.keys().all(heeds)
            };
            if is_heeded {
                return;
            }
            changed.await;
        }
    }

    /// Returns the paths of the files that hold a token.
    pub fn with_token(&self) -> Vec<String> {
        let board = self.lock();
        let held = board
            .files
            .values()
            .filter(|file| file.expires_at.is_some());
        held.map(|file| file.path.clone()).collect()
    }

    /// Replaces the list of sinks that are not written.
    pub fn refuse(&self, refused: Vec<SinkReply>) {
        self.lock().refused = refused;
    }

    /// Returns the states of all files.
    pub fn all(&self) -> Vec<SinkReply> {
        let board = self.lock();
        let all = board.files.values().chain(&board.refused);
        all.cloned().collect()
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Board> {
        self.board.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
