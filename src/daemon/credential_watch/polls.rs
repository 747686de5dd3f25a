//! Polls files that cannot be watched: on a file system that other hosts change, bind-mounted into a container one by
//! one, or beyond the system's limit of watches.

use std::collections::BTreeMap;
use std::fs::{File, Metadata};
use std::hash::{BuildHasher as _, Hash as _, Hasher as _, RandomState};
use std::io::{self, Read as _};
use std::os::unix::fs::{MetadataExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use tokio::sync::mpsc;
use zeroize::Zeroizing;

use crate::offload;

/// Number of threads that poll at once. A file system that hangs blocks only one of them, with its share of the files.
const AT_ONCE: usize = 8;

/// Largest part of a file that is compared, in bytes. No credential is that large.
const MOST: u64 = 64 * 1_024;

/// The polled files.
pub(super) struct Polls {
    /// The last fingerprint of each file. A file without one counts as changed.
    prints: BTreeMap<PathBuf, Option<Fingerprint>>,
    /// Whether each thread is still polling.
    busy: [Arc<AtomicBool>; AT_ONCE],
    key: Arc<RandomState>,
    sender: mpsc::UnboundedSender<(PathBuf, Fingerprint)>,
    seen: mpsc::UnboundedReceiver<(PathBuf, Fingerprint)>,
}

/// Fingerprint of a file. Two are equal if the file has not changed in between.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Fingerprint {
    /// Hash of the content and the metadata, with a key of this process.
    hash: u64,
}

// === impl Polls ===

impl Polls {
    pub(super) fn new() -> Self {
        let (sender, seen) = mpsc::unbounded_channel();
        Self {
            prints: BTreeMap::new(),
            busy: std::array::from_fn(|_| Arc::default()),
            key: Arc::default(),
            sender,
            seen,
        }
    }

    /// Starts to poll this file.
    pub(super) fn add(&mut self, path: &Path) {
        self.prints.entry(path.to_owned()).or_default();
    }

    /// Stops polling this file.
    pub(super) fn remove(&mut self, path: &Path) {
        self.prints.remove(path);
    }

    /// Whether no file is polled.
    pub(super) fn is_empty(&self) -> bool {
        self.prints.is_empty()
    }

    /// Begins a poll of every file. It wakes the event loop only if a file has changed.
    pub(super) fn look(&self) {
        let mut shares: [Vec<_>; AT_ONCE] = std::array::from_fn(|_| vec![]);
        let slots = (0..AT_ONCE).cycle();
        for ((path, print), slot) in self.prints.iter().zip(slots) {
            if let Some(share) = shares.get_mut(slot) {
                share.push((path.clone(), *print));
            }
        }
        for (share, busy) in shares.into_iter().zip(&self.busy) {
            if share.is_empty() || busy.swap(true, Ordering::SeqCst) {
                continue;
            }
            let (ended, key, sender) =
                (Arc::clone(busy), Arc::clone(&self.key), self.sender.clone());
            let look = move || {
                for (path, before) in share {
                    let print = Fingerprint::of(&path, &key);
                    if before != Some(print) {
                        // The receiver is gone if the daemon is stopping.
                        let _: Result<(), _> = sender.send((path, print));
                    }
                }
                ended.store(false, Ordering::SeqCst);
            };
            if offload::thread("looks", look).is_err() {
                // The next poll may get a thread.
                busy.store(false, Ordering::SeqCst);
            }
        }
    }

    /// Waits for a file that has changed, or is gone.
    pub(super) async fn changed(&mut self) -> PathBuf {
        loop {
            // Unreachable: `self` keeps a sender.
            let Some((path, print)) = self.seen.recv().await else {
                return std::future::pending().await;
            };
            let Some(before) = self.prints.get_mut(&path) else {
                continue;
            };
            if before.replace(print) != Some(print) {
                return path;
            }
        }
    }
}

// === impl Print ===

impl Fingerprint {
    /// Takes the fingerprint of a file. Blocks.
    fn of(path: &Path, key: &RandomState) -> Self {
        let mut hasher = key.build_hasher();
        match look(path) {
            Ok((meta, content)) => {
                (meta.dev(), meta.ino(), meta.mode(), meta.uid()).hash(&mut hasher);
                (meta.len(), meta.mtime(), meta.mtime_nsec()).hash(&mut hasher);
                content.hash(&mut hasher);
            }
            Err(error) => error.raw_os_error().hash(&mut hasher),
        }
        Self {
            hash: hasher.finish(),
        }
    }
}

/// Reads the metadata and the content of a file. On a network file system, the open fetches both from the server.
fn look(path: &Path) -> io::Result<(Metadata, Zeroizing<Vec<u8>>)> {
    let meta = path.metadata()?;
    if !meta.is_file() {
        return Ok((meta, Zeroizing::default()));
    }
    let flags = rustix::fs::OFlags::NONBLOCK | rustix::fs::OFlags::NOCTTY;
    let flags = i32::try_from(flags.bits()).unwrap_or(0);
    let file = File::options().read(true).custom_flags(flags).open(path)?;
    let meta = file.metadata()?;
    if meta.len() > MOST {
        return Ok((meta, Zeroizing::default()));
    }
    // The buffer has one byte to spare, so that it never grows during the read and leaves a copy of the secret behind.
    let room = usize::try_from(MOST).unwrap_or(0) + 1;
    let mut content = Zeroizing::new(Vec::with_capacity(room));
    file.take(MOST).read_to_end(&mut content)?;
    Ok((meta, content))
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    /// Polls once, and returns whether a change was found.
    async fn changes(polls: &mut Polls) -> bool {
        polls.look();
        while polls.busy.iter().any(|busy| busy.load(Ordering::SeqCst)) {
            tokio::task::yield_now().await;
        }
        let limit = Duration::from_millis(1);
        tokio::time::timeout(limit, polls.changed()).await.is_ok()
    }

    #[tokio::test]
    async fn each_write_replacement_or_removal_of_a_file_is_reported_once() {
        let dir = tempfile::tempdir().unwrap();
        let (path, other) = (dir.path().join("s"), dir.path().join("t"));
        let mut polls = Polls::new();
        polls.add(&path);
        assert!(changes(&mut polls).await, "it may have gone before");
        assert!(!changes(&mut polls).await, "there is none yet");
        std::fs::write(&path, "one").unwrap();
        assert!(changes(&mut polls).await);
        assert!(!changes(&mut polls).await);
        // The same length, and a time that may be equal in the file system's resolution.
        std::fs::write(&path, "two").unwrap();
        assert!(changes(&mut polls).await);
        std::fs::write(&other, "two").unwrap();
        std::fs::rename(&other, &path).unwrap();
        assert!(changes(&mut polls).await);
        std::fs::remove_file(&path).unwrap();
        assert!(changes(&mut polls).await);
        assert!(!changes(&mut polls).await);
        std::os::unix::fs::symlink("u", &path).unwrap();
        assert!(!changes(&mut polls).await);
        std::fs::write(dir.path().join("u"), "three").unwrap();
        assert!(changes(&mut polls).await);
        polls.remove(&path);
        std::fs::write(dir.path().join("u"), "four").unwrap();
        assert!(!changes(&mut polls).await);
    }
}
