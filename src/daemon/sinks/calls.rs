//! Makes the blocking calls: one at a time in each folder, which may be on a disk that hangs, and a limited number in
//! all.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use zeroize::Zeroizing;

use crate::offload;
use crate::profile::ProfileName;
use crate::sink::{ExistingFile, SinkFile, Sinks};

/// Maximum number of calls that run or hang at the same time. It is less than the number of the daemon's threads, which
/// also read credentials.
const AT_ONCE: usize = 64;

/// Makes the calls. Clones share the limits.
#[derive(Clone)]
pub(super) struct Calls {
    sinks: Arc<Sinks>,
    all: Arc<Semaphore>,
    folders: Arc<Mutex<HashMap<PathBuf, Arc<Semaphore>>>>,
    is_closed: Arc<AtomicBool>,
}

/// A file to write, and its content.
pub(super) struct Write {
    pub(super) file: SinkFile,
    pub(super) bytes: Zeroizing<Vec<u8>>,
    /// When the token in it expires, in Unix seconds, or `None` if the file stays after that.
    pub(super) until: Option<u64>,
}

/// Permits that a call holds until it returns, even if its caller no longer waits.
struct CallPermits {
    _folder: Option<OwnedSemaphorePermit>,
    _all: Option<OwnedSemaphorePermit>,
}

// === impl Calls ===

impl Calls {
    pub(super) fn new(sinks: Sinks) -> Self {
        Self {
            sinks: Arc::new(sinks),
            all: Arc::new(Semaphore::new(AT_ONCE)),
            folders: Arc::default(),
            is_closed: Arc::default(),
        }
    }

    /// Writes these files in this order. Returns whether all of them are on file systems in memory.
    ///
    /// # Errors
    /// What happened, and what to do.
    pub(super) async fn write(&self, writes: Vec<Write>) -> Result<bool, String> {
        let Some(first) = writes.first() else {
            return Ok(true);
        };
        let path = first.file.path.clone();
        self.call(&path, move |sinks| {
            let mut is_in_memory = true;
            for Write { file, bytes, until } in writes {
                is_in_memory &= sinks
                    .write(&file, &bytes, until)
                    .map_err(|e| e.to_string())?;
            }
            Ok(is_in_memory)
        })
        .await
    }

    /// Removes a file if it is ours or its token has expired by `now`, in Unix seconds.
    ///
    /// # Errors
    /// What happened, and what to do.
    pub(super) async fn remove(&self, path: &Path, now: u64) -> Result<bool, String> {
        let file = path.to_owned();
        self.call(path, move |sinks| {
            sinks.remove(&file, now).map_err(|e| e.to_string())
        })
        .await
    }

    /// Returns what an earlier daemon or sink has left at this path, which belongs to this profile now.
    pub(super) async fn in_place(
        &self,
        path: &Path,
        profile: &ProfileName,
    ) -> Option<ExistingFile> {
        let (file, profile) = (path.to_owned(), profile.clone());
        let found = self.call(path, move |sinks| {
            sinks.take_up(&file, &profile).map_err(|e| e.to_string())
        });
        // If the path cannot be read, it cannot be written either, and the write reports that.
        found.await.ok().flatten()
    }

    /// Removes what earlier daemons left, except these files. Returns the files that could not be removed, with the
    /// reasons.
    pub(super) async fn sweep(&self, kept: Vec<PathBuf>, now: u64) -> Vec<(PathBuf, String)> {
        let sinks = Arc::clone(&self.sinks);
        let failed = offload::run(move || sinks.sweep(&kept, now)).await;
        let failed = failed.unwrap_or_default().into_iter();
        failed.map(|e| (e.path.clone(), e.to_string())).collect()
    }

    /// Waits for running calls to end, and prevents new ones.
    pub(super) async fn settle(&self) {
        self.is_closed.store(true, Ordering::Relaxed);
        let most = u32::try_from(AT_ONCE).unwrap_or(u32::MAX);
        if let Ok(all) = self.all.acquire_many(most).await {
            all.forget();
        }
    }

    async fn call<T: Send + 'static>(
        &self,
        path: &Path,
        call: impl FnOnce(&Sinks) -> Result<T, String> + Send + 'static,
    ) -> Result<T, String> {
        let places = self.places(path).await;
        if self.is_closed.load(Ordering::Relaxed) {
            drop(places);
            // The daemon ends, and so does the task that called this.
            return std::future::pending().await;
        }
        let sinks = Arc::clone(&self.sinks);
        let called = offload::run_in_turn(move || {
            let result = call(&sinks);
            drop(places);
            result
        });
        called
            .await
            .unwrap_or_else(|refused| Err(refused.to_string()))
    }

    /// Takes the permits for a call. The folder's permit comes first, so that calls that wait for a hanging folder do
    /// not use up the overall limit.
    async fn places(&self, path: &Path) -> CallPermits {
        let folder = path.parent().unwrap_or(path).to_owned();
        let folder = {
            let mut folders = self.folders.lock().unwrap_or_else(PoisonError::into_inner);
            // Drop the folders that no sink uses any more.
            folders
                .retain(|_, place| Arc::strong_count(place) > 1 || place.available_permits() == 0);
            let new = || Arc::new(Semaphore::new(1));
            Arc::clone(folders.entry(folder).or_insert_with(new))
        };
        // The semaphores are never closed.
        CallPermits {
            _folder: folder.acquire_owned().await.ok(),
            _all: Arc::clone(&self.all).acquire_owned().await.ok(),
        }
    }
}
