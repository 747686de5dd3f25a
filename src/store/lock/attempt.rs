//! One attempt to take a lock: it opens or makes the file, checks its owner and mode, and locks it.

use std::ffi::OsStr;
use std::fs::File;
use std::io;
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;

use rustix::fs::OFlags;
use rustix::io::Errno;

use super::super::StoreError;
use super::{LockAttempt, Locks, NoLockReason, refused};
use crate::file_lock::NotLocked;
use crate::folder::{Attributes, Folder};
use crate::trust::{FileFacts, TrustFault, UntrustedPath, is_passing};

const OPEN_LOCK: &str = "open the lock";
const MAKE_LOCK: &str = "make the lock";

/// The reason why a lock's file could not be opened.
enum NotOpened {
    /// The file does not exist, and cannot be made.
    NotMade(io::Error),
    /// The file exists, and cannot be opened.
    Existing(io::Error),
}

impl Locks {
    /// Tries once to take the lock of this name.
    pub(super) fn attempt(
        &self,
        folder: &Folder,
        name: &OsStr,
        path: &Path,
    ) -> Result<LockAttempt, StoreError> {
        let (file, made) = match self.open(folder, name) {
            Ok(opened) => opened,
            Err(NotOpened::NotMade(e)) => {
                return match Errno::from_io_error(&e) {
                    Some(errno) if !is_passing(&e) => {
                        Ok(LockAttempt::Without(NoLockReason::NotMade {
                            path: path.to_owned(),
                            action: MAKE_LOCK,
                            errno,
                        }))
                    }
                    _ => Err(StoreError::io(path, MAKE_LOCK, e)),
                };
            }
            Err(NotOpened::Existing(e)) => {
                return match (e.kind(), Errno::from_io_error(&e)) {
                    // The lock's holder has just removed it.
                    (io::ErrorKind::NotFound, _) => Ok(LockAttempt::Later),
                    (io::ErrorKind::PermissionDenied, _) => {
                        Ok(LockAttempt::NotGiven(self.denied(path, e)))
                    }
                    (_, Some(errno @ Errno::ROFS)) => {
                        Ok(LockAttempt::Without(NoLockReason::NotMade {
                            path: path.to_owned(),
                            action: OPEN_LOCK,
                            errno,
                        }))
                    }
                    (_, Some(Errno::LOOP)) => Err(refused(path, TrustFault::IsALink)),
                    (_, Some(Errno::NXIO)) => Err(refused(path, TrustFault::NotAFile)),
                    _ => Err(StoreError::io(path, OPEN_LOCK, e)),
                };
            }
        };
        let facts = FileFacts::of(&file)
            .map_err(|e| StoreError::io(path, "read the state of the lock", e))?;
        match facts.judge_private_file(self.owner) {
            Ok(()) => {}
            Err(TrustFault::HardLinks(0)) => return Ok(LockAttempt::Later),
            Err(why @ TrustFault::NotOurs { owner: 0, .. }) => {
                return Ok(LockAttempt::NotGiven(refused(path, why)));
            }
            Err(why) => return Err(refused(path, why)),
        }
        match (self.try_lock)(file) {
            Ok(lock) if folder.is(name, lock.file()) => Ok(LockAttempt::Held(lock)),
            Ok(_) | Err(NotLocked::Held) => Ok(LockAttempt::Later),
            Err(NotLocked::Unsupported(_)) => {
                // An NFS server may lack locks only for a while, so another program may hold a file that existed
                // before.
                if made {
                    let _: io::Result<()> = folder.unlink(name);
                }
                Ok(LockAttempt::Without(NoLockReason::NoLocks))
            }
            Err(NotLocked::Io(e)) => Err(StoreError::io(path, "take the lock", e)),
        }
    }

    /// Opens the file or makes it; returns whether it was made. As root, it gives the owner only a file that it has
    /// just made: any other may be a link that the owner planted.
    fn open(&self, folder: &Folder, name: &OsStr) -> Result<(File, bool), NotOpened> {
        match folder.open_file(name, OFlags::RDWR | OFlags::CREATE | OFlags::EXCL) {
            Ok(file) => {
                let attributes = Attributes {
                    owner: self.owner,
                    group: None,
                    mode: 0o600,
                };
                match attributes.apply(&file) {
                    Ok(()) => Ok((file, true)),
                    Err(e) => {
                        // If it stayed root's, its owner could not open it.
                        let _: io::Result<()> = folder.unlink(name);
                        Err(NotOpened::NotMade(e))
                    }
                }
            }
            Err(e) if e.kind() == io::ErrorKind::AlreadyExists => folder
                .open_file(name, OFlags::RDWR)
                .map(|file| (file, false))
                .map_err(NotOpened::Existing),
            Err(e) => Err(NotOpened::NotMade(e)),
        }
    }

    /// The error for an existing lock that cannot be opened: its owner, if that is another user, or the system's error.
    fn denied(&self, path: &Path, error: io::Error) -> StoreError {
        let uid = self.owner;
        match path.symlink_metadata().map(|meta| meta.uid()) {
            Ok(owner) if owner != uid => refused(path, TrustFault::NotOurs { owner, uid }),
            _ => StoreError::io(path, OPEN_LOCK, error),
        }
    }

    /// The reason why the folder of the locks is missing and cannot be made. `None` for a folder that exists and is not
    /// trusted, and for a failure that passes: then the caller must refuse, since another program may lock meanwhile.
    pub(super) fn not_made(&self, untrusted: &UntrustedPath) -> Option<NoLockReason> {
        if untrusted.is_passing() || self.folder.symlink_metadata().is_ok() {
            return None;
        }
        let (action, errno) = match &untrusted.why {
            TrustFault::Io { action, source } => (*action, Errno::from_io_error(source)?),
            TrustFault::Missing => ("make", Errno::NOENT),
            TrustFault::NotAFolder => ("make", Errno::NOTDIR),
            _ => return None,
        };
        Some(NoLockReason::NotMade {
            path: untrusted.path.clone(),
            action,
            errno,
        })
    }
}
