//! What the files of a profile hold, as the tasks that write them say.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use tokio::sync::Notify;

use crate::wire::SinkReply;

/// The states of a profile's files.
#[derive(Debug, Default)]
pub struct SinkBoard {
    board: Mutex<Board>,
    /// Wakes those who wait until a lock of the store is heeded.
    heeds: Notify,
}

#[derive(Debug, Default)]
struct Board {
    /// By path.
    files: BTreeMap<PathBuf, SinkReply>,
    /// The sinks that are not kept, since another one writes the same file.
    refused: Vec<SinkReply>,
    /// Which lock of the store the task of each file has acted on last.
    heeded: BTreeMap<PathBuf, u64>,
}

// === impl SinkBoard ===

impl SinkBoard {
    /// Shows the state of a file.
    pub fn show(&self, path: &Path, state: SinkReply) {
        self.lock().files.insert(path.to_owned(), state);
    }

    /// Shows a file no longer.
    pub fn forget(&self, path: &Path) {
        let mut board = self.lock();
        board.files.remove(path);
        board.heeded.remove(path);
        drop(board);
        self.heeds.notify_waiters();
    }

    /// Notes that the task of a file has acted on this lock of the store, and on those before it.
    pub fn heed(&self, path: &Path, locks: u64) {
        let before = self.lock().heeded.insert(path.to_owned(), locks);
        if before != Some(locks) {
            self.heeds.notify_waiters();
        }
    }

    /// Waits until the tasks of all files that are shown have acted on this lock of the store.
    pub async fn heeded(&self, locks: u64) {
        loop {
            let mut changed = std::pin::pin!(self.heeds.notified());
            // From here on no change is missed.
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

    /// The files that hold a token.
    pub fn with_token(&self) -> Vec<String> {
        let board = self.lock();
        let held = board
            .files
            .values()
            .filter(|file| file.expires_at.is_some());
        held.map(|file| file.path.clone()).collect()
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
        self.board.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
