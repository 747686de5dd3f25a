//! The lock for changes of a configuration: a file of mode 0600 beside it, which is removed when the lock is released.
//!
//! The folder itself cannot serve as the lock: every user who may list the folder could hold that lock, and network
//! file systems lock only files that are open for writing. There is one lock per folder, since it also guards the
//! temporary files that a killed writer has left there.

use std::ffi::OsStr;
use std::fmt;
use std::fs::File;
use std::io;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

use rustix::fs::OFlags;

use super::write::{FileReaders, WriteError, place};
use crate::file_lock::{FileLock, NotLocked, holder};
use crate::folder::{Attributes, Folder};

/// The name of the lock file.
const NAME: &str = ".jeton.lock";

/// The number of attempts to get the lock, and the pause between them: 10 s in all. A writer holds the lock while it
/// changes a store and a file, and a keyring may take 3 s of that.
const TRIES: u32 = 400;
const PAUSE: Duration = Duration::from_millis(25);

/// After how many of these looks a person is told what is waited for: half a second.
const MOMENT: u32 = 20;

/// The right to change a configuration. It ends with this value.
#[derive(Debug)]
pub struct ConfigLock {
    folder: Folder,
    /// `None` if the file system has no locks.
    file: Option<FileLock>,
}

/// The reason why a configuration cannot be changed now.
#[derive(Debug)]
pub enum LockError {
    /// Another process is changing it, and has not finished in time.
    Busy {
        /// The configuration.
        config: PathBuf,
        /// The lock.
        lock: PathBuf,
    },
    /// The system reported an error.
    Io(WriteError),
}

/// Takes the lock of a configuration, and creates its folder if necessary: see [`super::write_config`].
///
/// `waits` is called once when that takes more than a moment, with a description of the process that holds the lock, if
/// the system tells which one does.
///
/// # Errors
/// [`LockError`]; then nothing was changed.
pub fn lock_config(
    path: &Path,
    uid: u32,
    readers: FileReaders,
    waits: impl FnOnce(Option<&str>),
) -> Result<ConfigLock, LockError> {
    take(path, uid, readers, TRIES, waits)
}

fn take(
    path: &Path,
    uid: u32,
    readers: FileReaders,
    tries: u32,
    waits: impl FnOnce(Option<&str>),
) -> Result<ConfigLock, LockError> {
    let mut waits = Some(waits);
    let io = |action| move |source| LockError::Io(WriteError::new(path, action, source));
    let (folder, _) = place(path, uid, readers).map_err(LockError::Io)?;
    let (at, folder) = (
        folder.join(NAME),
        Folder::open(&folder).map_err(io("open its folder"))?,
    );
    for again in (0..tries).rev() {
        match open(&folder, &at) {
            Ok(file) => match FileLock::try_exclusive(file) {
                // The last holder may have removed the file meanwhile. The lock is then another file.
                Ok(lock) if folder.is(OsStr::new(NAME), lock.file()) => {
                    folder.sweep();
                    let file = Some(lock);
                    return Ok(ConfigLock { folder, file });
                }
                Ok(_) | Err(NotLocked::Held) => {}
                Err(NotLocked::Unsupported(_)) => {
                    let file = None;
                    return Ok(ConfigLock { folder, file });
                }
                Err(NotLocked::Io(error)) => return Err(io("take its lock")(error)),
            },
            // Another user holds it.
            Err(error) if error.kind() == io::ErrorKind::PermissionDenied && at.exists() => {}
            Err(error) => return Err(io("make its lock")(error)),
        }
        if tries - again == MOMENT
            && let Some(waits) = waits.take()
        {
            waits(holder(&at).as_deref());
        }
        if again > 0 {
            pause();
        }
    }
    Err(LockError::Busy {
        config: path.to_owned(),
        lock: at,
    })
}

/// Opens the file, or creates it for the owner of the folder: root may change a user's configuration.
fn open(folder: &Folder, at: &Path) -> io::Result<File> {
    let name = OsStr::new(NAME);
    match folder.open_file(name, OFlags::RDWR | OFlags::CREATE | OFlags::EXCL) {
        Ok(file) => {
            let owner = at.parent().map(Path::metadata).transpose()?;
            let attributes = Attributes {
                owner: owner.map_or(file.metadata()?.uid(), |meta| meta.uid()),
                group: None,
                mode: 0o600,
            };
            // In a root-owned folder that we may write to, a file of our own is good enough.
            let _: io::Result<()> = attributes.apply(&file);
            Ok(file)
        }
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
            match folder.open_file(name, OFlags::RDWR) {
                // Its holder has just removed it.
                Err(error) if error.kind() == io::ErrorKind::NotFound => open(folder, at),
                opened => opened,
            }
        }
        Err(error) => Err(error),
    }
}

#[expect(
    clippy::disallowed_methods,
    reason = "only commands change configurations, and they have no event loop"
)]
fn pause() {
    std::thread::sleep(PAUSE);
}

// === impl ConfigLock ===

impl ConfigLock {
    /// Reports whether the lock excludes other programs. If the file system has no locks, two programs that change a
    /// configuration at the same time may still undo each other's change.
    pub const fn is_exclusive(&self) -> bool {
        self.file.is_some()
    }
}

impl Drop for ConfigLock {
    /// Removes the file before it releases the lock: a program that then gets the lock of the removed file tries again.
    fn drop(&mut self) {
        // If it cannot be removed, the next holder reuses it.
        let _: Result<bool, _> = self.folder.remove(OsStr::new(NAME));
    }
}

// === impl LockError ===

impl fmt::Display for LockError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Busy { config, lock } => write!(
                f,
                "{}: another process is changing it: another jetond holds {}: try again when it has ended; to find it, run: fuser -v {}",
                config.display(),
                lock.display(),
                lock.display()
            ),
            Self::Io(error) => error.fmt(f),
        }
    }
}

impl std::error::Error for LockError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Busy { .. } => None,
            Self::Io(error) => std::error::Error::source(error),
        }
    }
}

#[cfg(test)]
#[expect(
    clippy::disallowed_methods,
    reason = "a test may panic if it cannot start a thread"
)]
mod tests {
    use std::fs;
    use std::os::unix::fs::PermissionsExt as _;
    use std::sync::atomic::{AtomicU32, Ordering};

    use super::*;

    fn uid() -> u32 {
        rustix::process::geteuid().as_raw()
    }

    fn names(folder: &Path) -> Vec<String> {
        let mut names: Vec<_> = fs::read_dir(folder)
            .unwrap()
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .collect();
        names.sort();
        names
    }

    #[test]
    fn the_configuration_lock_is_exclusive_and_leaves_no_file() {
        let dir = tempfile::tempdir().unwrap();
        let config = dir.path().join("a/config.toml");
        let inside = AtomicU32::new(0);
        std::thread::scope(|scope| {
            for _ in 0..8 {
                scope.spawn(|| {
                    for _ in 0..20 {
                        let lock = lock_config(&config, uid(), FileReaders::Owner, |_| {}).unwrap();
                        assert!(lock.is_exclusive());
                        assert_eq!(inside.fetch_add(1, Ordering::SeqCst), 0);
                        inside.fetch_sub(1, Ordering::SeqCst);
                    }
                });
            }
        });
        assert!(names(&dir.path().join("a")).is_empty());
    }

    #[test]
    fn a_lock_that_is_held_too_long_fails_and_a_stale_lock_file_is_taken() {
        let dir = tempfile::tempdir().unwrap();
        let config = dir.path().join("config.toml");
        let held = lock_config(&config, uid(), FileReaders::Owner, |_| {}).unwrap();
        let mode = dir.path().join(NAME).metadata().unwrap().permissions();
        assert_eq!(mode.mode() & 0o777, 0o600);
        let mut said = 0;
        let busy = take(&config, uid(), FileReaders::Owner, MOMENT + 2, |_| {
            said += 1;
        })
        .unwrap_err();
        assert_eq!(said, 1);
        assert!(matches!(busy, LockError::Busy { .. }));
        assert!(busy.to_string().contains("another process is changing it"));
        drop(held);
        // The files that a killed process leaves.
        fs::write(dir.path().join(NAME), "").unwrap();
        fs::write(dir.path().join(".jeton-new-abc"), "").unwrap();
        drop(take(&config, uid(), FileReaders::Owner, 1, |_| {}).unwrap());
        assert!(names(dir.path()).is_empty());
    }

    #[test]
    fn files_in_one_folder_share_the_lock_and_links_are_followed() {
        let dir = tempfile::tempdir().unwrap();
        let (real, link) = (dir.path().join("real"), dir.path().join("link"));
        fs::create_dir(&real).unwrap();
        std::os::unix::fs::symlink("real/config.toml", &link).unwrap();
        let _held = lock_config(&link, uid(), FileReaders::Owner, |_| {}).unwrap();
        assert_eq!(names(&real), [NAME]);
        let other = real.join("other.toml");
        assert!(take(&other, uid(), FileReaders::Owner, 1, |_| {}).is_err());
    }
}
