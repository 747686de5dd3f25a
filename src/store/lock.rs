//! The lock for changing what is stored for one profile: a lock on the file `STATE/locks/PROFILE.lock`.
//!
//! It covers every store and the recorded removal of its profile, since one change may involve several of them.
//! Profiles do not wait for each other. The kernel releases the lock when its process ends, so a killed holder does not
//! block other writers.
//!
//! The holder removes the file before it releases the lock. A writer that locks an unlinked file opens the next one, so
//! two writers never hold the lock of one profile.

use std::ffi::OsString;
use std::fmt;
use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use rustix::io::Errno;

use super::{StoreError, StoreErrorKind};
use crate::file_lock::{FileLock, NotLocked, holder};
use crate::folder::Folder;
use crate::profile::ProfileName;
use crate::trust::{Purpose, TrustFault, UntrustedPath, private_dir};

mod attempt;

/// The number of tries and the pause between them: a writer waits for another one for 7 s in all. A call of a working
/// keyring takes much less. If the keyring hangs, a removal, or an enrolment that takes its credential back, makes up
/// to four calls of up to 3 s each under the lock; then waiting writers give up and say so.
const TRIES: u32 = 280;
const PAUSE: Duration = Duration::from_millis(25);

/// The number of tries after which a person is told who holds the lock: half a second.
const MOMENT: u32 = 20;

/// The number of tries in a row that find the lock owned by root before a writer gives up. Before that, root may have
/// just made the lock and may be about to give it to its owner.
const GIVING: u32 = 4;

/// The locks of the profiles of one state folder.
#[derive(Debug, Clone)]
pub(super) struct Locks {
    folder: PathBuf,
    owner: u32,
    tries: u32,
    waits: Waits,
    try_lock: fn(File) -> Result<FileLock, NotLocked>,
}

/// Is called once when a writer waits for more than a moment: with the profile, and with a description of the process
/// that holds the lock, if the system tells which one does.
pub type Waits = fn(&ProfileName, Option<&str>);

/// The right to change what is stored for a profile. It ends when this value is dropped, or with its process.
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
    /// Locking is not possible there, for this reason.
    Unlocked(NoLockReason),
}

/// The reason why no lock is possible in a state folder. A keyring can be changed nevertheless.
enum NoLockReason {
    /// The file system has no locks.
    NoLocks,
    /// The folder of the locks, or a lock in it, cannot be made.
    NotMade {
        /// The folder or file that cannot be made.
        path: PathBuf,
        action: &'static str,
        errno: Errno,
    },
}

/// The number of tries in a row that found a lock owned by another user.
#[derive(Default)]
struct ForeignOwnerTries(u32);

/// The result of one try.
enum LockAttempt {
    Held(FileLock),
    /// Another writer holds it, or has just finished.
    Later,
    /// Another user owns it, perhaps root, which may be about to give it away. The error to report if that does not
    /// change.
    NotGiven(StoreError),
    Without(NoLockReason),
}

// === impl Locks ===

impl Locks {
    /// Creates the locks below this state folder, with files that belong to `owner`. Touches nothing before the first
    /// lock.
    pub(super) fn new(state: &Path, owner: u32) -> Self {
        Self {
            folder: state.join("locks"),
            owner,
            tries: TRIES,
            waits: |_, _| {},
            try_lock: FileLock::try_exclusive,
        }
    }

    /// Tells about long waits.
    pub(super) fn telling(self, waits: Waits) -> Self {
        Self { waits, ..self }
    }

    /// Replaces the number of tries.
    #[cfg(test)]
    pub(super) fn with_tries(self, tries: u32) -> Self {
        Self { tries, ..self }
    }

    /// Takes the lock of a profile. Waits while another writer holds it.
    ///
    /// # Errors
    /// [`StoreErrorKind::Busy`] if another writer holds it for too long, [`StoreErrorKind::Full`], or a fault of the
    /// file.
    pub(super) fn take(&self, profile: &ProfileName) -> Result<ProfileLock, StoreError> {
        let name = OsString::from(format!("{profile}.lock"));
        let path = self.folder.join(&name);
        let folder = match private_dir(&self.folder, self.owner) {
            Ok(file) => Folder::new(file, &self.folder),
            Err(untrusted) => {
                return match self.not_made(&untrusted) {
                    Some(why) => Ok(self.without(profile, why)),
                    None => Err(StoreError::untrusted(untrusted)),
                };
            }
        };
        let mut not_given = ForeignOwnerTries::default();
        for at in 1..=self.tries {
            let attempt = self.attempt(&folder, &name, &path)?;
            let stays = not_given.stays(matches!(attempt, LockAttempt::NotGiven(_)));
            match attempt {
                LockAttempt::Held(lock) => {
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
                LockAttempt::Without(why) => return Ok(self.without(profile, why)),
                LockAttempt::NotGiven(error) if stays => return Err(error),
                LockAttempt::Later | LockAttempt::NotGiven(_) => {}
            }
            if at == MOMENT {
                (self.waits)(profile, holder(&path).as_deref());
            }
            if at < self.tries {
                pause();
            }
        }
        Err(StoreError::new(&path, StoreErrorKind::Busy))
    }

    fn without(&self, profile: &ProfileName, why: NoLockReason) -> ProfileLock {
        ProfileLock {
            profile: profile.clone(),
            locks: self.clone(),
            hold: Hold::Unlocked(why),
        }
    }
}

// === impl NotGiven ===

impl ForeignOwnerTries {
    /// Counts one more try; returns whether the writer should give up.
    const fn stays(&mut self, not_given: bool) -> bool {
        self.0 = if not_given { self.0 + 1 } else { 0 };
        self.0 >= GIVING
    }
}

// === impl ProfileLock ===

impl ProfileLock {
    /// The profile that may be changed.
    pub const fn profile(&self) -> &ProfileName {
        &self.profile
    }

    /// Checks that no other program can hold this lock at the same time.
    ///
    /// # Errors
    /// The reason why another program could: the state's file system has no locks, or the lock cannot be made there.
    pub(super) fn exclusive(&self) -> Result<(), StoreError> {
        Err(match &self.hold {
            Hold::Exclusive { .. } => return Ok(()),
            Hold::Unlocked(NoLockReason::NoLocks) => {
                StoreError::new(&self.locks.folder, StoreErrorKind::NoLocks)
            }
            Hold::Unlocked(NoLockReason::NotMade {
                path,
                action,
                errno,
            }) => {
                let why = TrustFault::io(action, (*errno).into());
                StoreError::untrusted(UntrustedPath::new(path, why).meant_for(Purpose::State))
            }
        })
    }

    /// Whether no other program is changing what is stored for this profile.
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
            // A file that cannot be removed is reused by the next holder.
            let _: io::Result<()> = folder.unlink(name);
        }
    }
}

fn refused(path: &Path, why: TrustFault) -> StoreError {
    StoreError::untrusted(UntrustedPath::new(path, why).meant_for(Purpose::Lock))
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
