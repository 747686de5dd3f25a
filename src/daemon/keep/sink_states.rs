//! The state of the files that a profile's token is written to, as reported by the tasks that write them.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use tokio::sync::Notify;

use crate::wire::SinkReply;

/// The states of a profile's files.
#[derive(Debug, Default)]
pub struct SinkStates {
    board: Mutex<Board>,
    /// Wakes the tasks that wait until a lock of the store has been acted on.
    lock_recorded: Notify,
}

#[derive(Debug, Default)]
struct Board {
    /// By path.
    files: BTreeMap<PathBuf, SinkReply>,
    /// The sinks that are not written, because another sink writes the same file.
    refused: Vec<SinkReply>,
    /// The last lock of the store that each file's task has acted on.
    recorded_locks: BTreeMap<PathBuf, u64>,
}

// === impl SinkBoard ===

impl SinkStates {
    /// Shows the state of a file.
    pub fn show(&self, path: &Path, state: SinkReply) {
        self.lock().files.insert(path.to_owned(), state);
    }

    /// Removes a file from the board.
    pub fn forget(&self, path: &Path) {
        let mut board = self.lock();
        board.files.remove(path);
        board.recorded_locks.remove(path);
        drop(board);
        self.lock_recorded.notify_waiters();
    }

    /// Records that a file's task has acted on this lock of the store and all earlier ones.
    pub fn record_lock(&self, path: &Path, locks: u64) {
        let before = self.lock().recorded_locks.insert(path.to_owned(), locks);
        if before != Some(locks) {
            self.lock_recorded.notify_waiters();
        }
    }

    /// Waits until the tasks of all files on the board have acted on this lock of the store.
    pub async fn wait_for_lock(&self, locks: u64) {
        loop {
            let mut changed = std::pin::pin!(self.lock_recorded.notified());
            // Register first: a change after this line ends the wait.
            changed.as_mut().enable();
            let is_heeded = {
                let board = self.lock();
                let lock_recorded = |path| {
                    board
                        .recorded_locks
                        .get(path)
                        .is_some_and(|it| *it >= locks)
                };
                board.files.keys().all(lock_recorded)
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
