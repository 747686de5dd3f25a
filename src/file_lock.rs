//! Locks on files (`flock`) that end with their guard.
//!
//! Closing a file is not enough to release its lock: a duplicate of the descriptor holds the same lock, and every child
//! has one between its `fork` and its `exec`, even a child that another thread starts. An unlock releases the lock for
//! all duplicates.

use std::fs::{File, TryLockError};
use std::io;

use rustix::io::Errno;

mod holder;

pub(crate) use self::holder::holder;

/// A lock on an open file. Dropping it unlocks the file, even if another process has a duplicate of the descriptor.
#[derive(Debug)]
pub(crate) struct FileLock(File);

/// The reason why a file was not locked.
#[derive(Debug)]
pub(crate) enum NotLocked {
    /// Another process, or another guard of this process, holds the lock.
    Held,
    /// The file system has no locks.
    Unsupported(io::Error),
    /// A system call failed.
    Io(io::Error),
}

impl FileLock {
    /// Takes an exclusive lock, without waiting.
    ///
    /// # Errors
    /// [`NotLocked`] with the reason.
    #[expect(clippy::disallowed_methods, reason = "this function creates the guard")]
    pub(crate) fn try_exclusive(file: File) -> Result<Self, NotLocked> {
        Self::from_result(file.try_lock(), file)
    }

    /// Takes a shared lock, which allows other shared locks of the file, without waiting.
    ///
    /// # Errors
    /// [`NotLocked`] with the reason.
    #[expect(clippy::disallowed_methods, reason = "this function creates the guard")]
    pub(crate) fn try_shared(file: File) -> Result<Self, NotLocked> {
        Self::from_result(file.try_lock_shared(), file)
    }

    fn from_result(result: Result<(), TryLockError>, file: File) -> Result<Self, NotLocked> {
        match result {
            Ok(()) => Ok(Self(file)),
            Err(TryLockError::WouldBlock) => Err(NotLocked::Held),
            Err(TryLockError::Error(e)) => Err(match Errno::from_io_error(&e) {
                Some(Errno::NOSYS | Errno::NOTSUP | Errno::NOLCK) => NotLocked::Unsupported(e),
                _ => NotLocked::Io(e),
            }),
        }
    }

    /// Returns the locked file.
    pub(crate) const fn file(&self) -> &File {
        &self.0
    }
}

impl Drop for FileLock {
    fn drop(&mut self) {
        // Closing the file also unlocks it, but maybe later.
        let _: io::Result<()> = self.0.unlock();
    }
}

#[cfg(test)]
mod tests {
    use std::process::{Command, Stdio};

    use tempfile::NamedTempFile;

    use super::*;

    #[test]
    fn dropping_the_guard_releases_the_lock_despite_a_duplicate_in_a_child() {
        let file = NamedTempFile::new().unwrap();
        let lock = FileLock::try_exclusive(file.reopen().unwrap()).unwrap();
        let mut child = Command::new("cat")
            .stdin(Stdio::piped())
            .stdout(lock.0.try_clone().unwrap())
            .spawn()
            .unwrap();
        let again = FileLock::try_exclusive(file.reopen().unwrap());
        assert!(matches!(again, Err(NotLocked::Held)), "{again:?}");
        drop(lock);
        let next = FileLock::try_exclusive(file.reopen().unwrap());
        assert!(next.is_ok(), "{next:?}");
        child.kill().unwrap();
        child.wait().unwrap();
    }

    #[test]
    fn closing_a_duplicate_descriptor_does_not_release_the_lock() {
        let file = NamedTempFile::new().unwrap();
        let lock = FileLock::try_exclusive(file.reopen().unwrap()).unwrap();
        drop(lock.0.try_clone().unwrap());
        let again = || FileLock::try_exclusive(file.reopen().unwrap());
        assert!(matches!(again(), Err(NotLocked::Held)));
        drop(lock);
        again().unwrap();
    }
}
