//! The right to change what is kept of one profile: a lock of the file `STATE/locks/PROFILE.lock`.
//!
//! It covers every store and the written-down removal of its profile, since one change may concern several of them.
//! Profiles do not wait for each other. The kernel ends the lock with its process, so a killed holder keeps no writer out.
//!
//! The holder removes the file before it lets the lock go. A writer that gets the lock of a file without a name opens the
//! next one, so two never hold the lock of one profile.

use std::ffi::{OsStr, OsString};
use std::fmt;
use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use rustix::fs::OFlags;
use rustix::io::Errno;

use super::{StoreError, StoreErrorKind};
use crate::file_lock::{FileLock, NotLocked};
use crate::folder::{Attributes, Folder};
use crate::profile::ProfileName;
use crate::trust::{Distrust, Facts, Purpose, Untrusted, private_dir};

/// How often a writer looks whether another one has finished, and how long it waits in between: 7 s in all. A holder may
/// ask a keyring twice, which takes 3 s at most each time.
const TRIES: u32 = 280;
const PAUSE: Duration = Duration::from_millis(25);

/// The most tries of [`TRIES`] in which a lock of root's is taken for one that root has just made and gives away next.
const GIVING: u32 = 4;

/// The locks of the profiles of one state folder.
#[derive(Debug, Clone)]
pub(super) struct Locks {
    folder: PathBuf,
    owner: u32,
    tries: u32,
}

/// The right to change what is kept of a profile. It ends with this value, and with its process.
pub struct ProfileLock {
    profile: ProfileName,
    locks: Locks,
    hold: Hold,
}

enum Hold {
    /// No other program has the lock.
    Exclusive {
        folder: Folder,
        name: OsString,
        _lock: FileLock,
    },
    /// Nothing can be locked there, and why.
    Without(Unlockable),
}

/// Why nothing can be locked in a state folder. A keyring can be changed all the same.
#[derive(Clone, Copy)]
enum Unlockable {
    NoLocks,
    ReadOnly,
}

/// What one try brought.
enum Try {
    Held(FileLock),
    /// Another writer holds it, or has just ended.
    Later,
    Without(Unlockable),
}

// === impl Locks ===

impl Locks {
    /// Those below this state folder, whose files are `owner`'s. Nothing is touched before the first lock.
    pub(super) fn new(state: &Path, owner: u32) -> Self {
        Self {
            folder: state.join("locks"),
            owner,
            tries: TRIES,
        }
    }

    /// The same with so many tries.
    #[cfg(test)]
    pub(super) fn with_tries(self, tries: u32) -> Self {
        Self { tries, ..self }
    }

    /// Takes the lock of a profile, and waits for its holder.
    ///
    /// # Errors
    /// [`StoreErrorKind::Busy`] when another writer keeps it, [`StoreErrorKind::Full`], or what is wrong with the file.
    pub(super) fn take(&self, profile: &ProfileName) -> Result<ProfileLock, StoreError> {
        let name = OsString::from(format!("{profile}.lock"));
        let path = self.folder.join(&name);
        let folder = match private_dir(&self.folder, self.owner) {
            Ok(file) => Folder::new(file, &self.folder),
            Err(untrusted) => {
                let error = StoreError::untrusted(untrusted);
                return match error.kind {
                    StoreErrorKind::ReadOnly => Ok(self.without(profile, Unlockable::ReadOnly)),
                    _ => Err(error),
                };
            }
        };
        for at in 1..=self.tries {
            match self.attempt(&folder, &name, &path, at < GIVING)? {
                Try::Held(lock) => {
                    return Ok(ProfileLock {
                        profile: profile.clone(),
                        locks: self.clone(),
                        hold: Hold::Exclusive {
                            folder,
                            name,
                            _lock: lock,
                        },
                    });
                }
                Try::Without(why) => return Ok(self.without(profile, why)),
                Try::Later if at < self.tries => pause(),
                Try::Later => {}
            }
        }
        Err(StoreError::new(&path, StoreErrorKind::Busy))
    }

    fn attempt(
        &self,
        folder: &Folder,
        name: &OsStr,
        path: &Path,
        giving: bool,
    ) -> Result<Try, StoreError> {
        let file = match self.open(folder, name) {
            Ok(file) => file,
            Err(e) => {
                return match (e.kind(), Errno::from_io_error(&e)) {
                    // Its holder has removed it just now.
                    (io::ErrorKind::NotFound, _) => Ok(Try::Later),
                    (io::ErrorKind::PermissionDenied, _) if giving => Ok(Try::Later),
                    (_, Some(Errno::ROFS)) => Ok(Try::Without(Unlockable::ReadOnly)),
                    (_, Some(Errno::LOOP)) => Err(refused(path, Distrust::IsALink)),
                    (_, Some(Errno::NXIO)) => Err(refused(path, Distrust::NotAFile)),
                    _ => Err(StoreError::io(path, "open the lock", e)),
                };
            }
        };
        let facts =
            Facts::of(&file).map_err(|e| StoreError::io(path, "read the state of the lock", e))?;
        match facts.judge_private_file(self.owner) {
            Ok(()) => {}
            Err(Distrust::HardLinks(0)) => return Ok(Try::Later),
            Err(Distrust::NotOurs { owner: 0, .. }) if giving => return Ok(Try::Later),
            Err(why) => return Err(refused(path, why)),
        }
        match FileLock::try_exclusive(file) {
            Ok(lock) if folder.is(name, lock.file()) => Ok(Try::Held(lock)),
            Ok(_) | Err(NotLocked::Held) => Ok(Try::Later),
            Err(NotLocked::Unsupported(_)) => {
                let _: io::Result<()> = folder.unlink(name);
                Ok(Try::Without(Unlockable::NoLocks))
            }
            Err(NotLocked::Io(e)) => Err(StoreError::io(path, "take the lock", e)),
        }
    }

    /// Opens the file, or makes it. Only one that was just made is given to the owner: root must not give away what the
    /// owner may have linked there.
    fn open(&self, folder: &Folder, name: &OsStr) -> io::Result<File> {
        match folder.open_file(name, OFlags::RDWR | OFlags::CREATE | OFlags::EXCL) {
            Ok(file) => {
                let attributes = Attributes {
                    owner: self.owner,
                    group: None,
                    mode: 0o600,
                };
                attributes.apply(&file)?;
                Ok(file)
            }
            Err(e) if e.kind() == io::ErrorKind::AlreadyExists => {
                folder.open_file(name, OFlags::RDWR)
            }
            Err(e) => Err(e),
        }
    }

    fn without(&self, profile: &ProfileName, why: Unlockable) -> ProfileLock {
        ProfileLock {
            profile: profile.clone(),
            locks: self.clone(),
            hold: Hold::Without(why),
        }
    }
}

// === impl ProfileLock ===

impl ProfileLock {
    /// The profile that may be changed.
    pub const fn profile(&self) -> &ProfileName {
        &self.profile
    }

    /// Whether no other program can have it at the same time.
    ///
    /// # Errors
    /// Why another one could: the state's file system has no locks, or is mounted read-only.
    pub(super) fn exclusive(&self) -> Result<(), StoreError> {
        let kind = match self.hold {
            Hold::Exclusive { .. } => return Ok(()),
            Hold::Without(Unlockable::NoLocks) => StoreErrorKind::NoLocks,
            Hold::Without(Unlockable::ReadOnly) => StoreErrorKind::ReadOnly,
        };
        Err(StoreError::new(&self.locks.folder, kind))
    }

    /// Whether no program is changing what is kept of this profile, but for the holder of this lock.
    pub(super) fn has_ended(&self, profile: &ProfileName) -> bool {
        if *profile == self.profile {
            return true;
        }
        let once = Locks {
            tries: 1,
            ..self.locks.clone()
        };
        once.take(profile)
            .is_ok_and(|lock| lock.exclusive().is_ok())
    }
}

impl fmt::Debug for ProfileLock {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("ProfileLock").field(&self.profile).finish()
    }
}

impl Drop for ProfileLock {
    fn drop(&mut self) {
        if let Hold::Exclusive { folder, name, .. } = &self.hold {
            // One that cannot be removed is the next holder's.
            let _: io::Result<()> = folder.unlink(name);
        }
    }
}

fn refused(path: &Path, why: Distrust) -> StoreError {
    StoreError::untrusted(Untrusted::new(path, why).meant_for(Purpose::Lock))
}

#[expect(
    clippy::disallowed_methods,
    reason = "a store's calls block, and are kept off the event loop"
)]
fn pause() {
    std::thread::sleep(PAUSE);
}

#[cfg(test)]
mod tests;
