//! Creates and judges a folder that is private to one user.

use std::fs::{DirBuilder, File};
use std::io;
use std::os::unix::fs::DirBuilderExt as _;
use std::path::{Path, PathBuf};

use rustix::fs::{Gid, Mode, OFlags, Uid};
use rustix::io::Errno;

use super::facts::FileFacts;
use super::{Purpose, TrustFault, UntrustedPath};

/// Opens the folder `path`, which must be private to `uid`. Creates it with mode 0700 if it is missing, as well as
/// missing folders above it; otherwise judges it unchanged.
///
/// `uid` is another user than ours only when root sets up a system daemon; created folders are then given to that user.
///
/// # Errors
/// [`UntrustedPath`] if the last component is a link or not a folder, belongs to another user, or is open to others. It
/// is not repaired, because its content may have been read already.
pub fn private_dir(path: &Path, uid: u32) -> Result<File, UntrustedPath> {
    make_folders(path, uid, 0o700)?;
    open_private(path, uid)
}

/// Creates the folder `path` and missing folders above it, with this mode whatever the umask.
pub(crate) fn make_folders(path: &Path, uid: u32, mode: u16) -> Result<(), UntrustedPath> {
    for missing in missing_folders(path) {
        make(&missing, uid, None, mode)
            .and_then(|()| sync_above(&missing))
            .map_err(|why| UntrustedPath::new(&missing, why).meant_for(Purpose::State))?;
    }
    Ok(())
}

/// Syncs the name of a new folder: otherwise a power failure could remove the folder, with everything that was synced
/// in it. Some network file systems report that they cannot do this; there the folder is accepted without it.
fn sync_above(path: &Path) -> Result<(), TrustFault> {
    let above = path.parent().filter(|above| !above.as_os_str().is_empty());
    let above = above.unwrap_or_else(|| Path::new("."));
    let synced = rustix::fs::open(above, OFlags::RDONLY | OFlags::CLOEXEC, Mode::empty())
        .and_then(rustix::fs::fsync);
    match synced {
        // A folder that may be searched but not read cannot be synced either.
        Ok(()) | Err(Errno::INVAL | Errno::NOTSUP | Errno::ACCESS | Errno::ROFS) => Ok(()),
        Err(e) => Err(TrustFault::io("sync the folder of", e.into())),
    }
}

/// Opens the folder `path`, which must be private to `uid`.
pub(crate) fn open_private(path: &Path, uid: u32) -> Result<File, UntrustedPath> {
    let untrusted = |why| UntrustedPath::new(path, why).meant_for(Purpose::State);
    let folder = open_folder(path).map_err(|why| match why {
        TrustFault::Io { .. } => untrusted(TrustFault::not_ours(path, uid).unwrap_or(why)),
        why => untrusted(why),
    })?;
    let facts =
        FileFacts::of(&folder).map_err(|e| untrusted(TrustFault::io("read the state of", e)))?;
    facts.judge_private_folder(uid).map_err(untrusted)?;
    Ok(folder)
}

/// Judges the lock of a socket in a folder that others can write to: another user's lock could be held forever.
pub(crate) fn judge_lock(lock: &File, path: &Path, uid: u32) -> Result<(), UntrustedPath> {
    let untrusted = |why| UntrustedPath::new(path, why).meant_for(Purpose::Lock);
    let facts =
        FileFacts::of(lock).map_err(|e| untrusted(TrustFault::io("read the state of", e)))?;
    facts.judge_own_file(uid).map_err(untrusted)
}

/// Returns the folders to create, from the top down.
pub(super) fn missing_folders(path: &Path) -> Vec<PathBuf> {
    let mut missing: Vec<_> = path
        .ancestors()
        .take_while(|folder| {
            let absent = |e: &io::Error| e.kind() == io::ErrorKind::NotFound;
            !folder.as_os_str().is_empty()
                && folder.symlink_metadata().err().is_some_and(|e| absent(&e))
        })
        .map(Path::to_owned)
        .collect();
    missing.reverse();
    missing
}

/// Creates a folder with this owner, group and mode. It is private to us until it is handed over.
pub(super) fn make(path: &Path, uid: u32, group: Option<u32>, mode: u16) -> Result<(), TrustFault> {
    match DirBuilder::new().mode(0o700).create(path) {
        Ok(()) => {}
        // Another process created it in between; it is judged afterwards.
        Err(e) if e.kind() == io::ErrorKind::AlreadyExists => return Ok(()),
        Err(e) => return Err(TrustFault::io("make", e)),
    }
    let folder = open_folder(path)?;
    let facts = FileFacts::of(&folder).map_err(|e| TrustFault::io("read the state of", e))?;
    if facts.owner != uid {
        rustix::fs::fchown(&folder, Some(Uid::from_raw(uid)), None)
            .map_err(|e| TrustFault::io("give away", e.into()))?;
    }
    set(&folder, group, mode)
}

/// Sets the group and then the mode of a folder that is ours.
pub(super) fn set(folder: &File, group: Option<u32>, mode: u16) -> Result<(), TrustFault> {
    if let Some(group) = group {
        match rustix::fs::fchown(folder, None, Some(Gid::from_raw(group))) {
            Ok(()) => {}
            Err(Errno::PERM) => return Err(TrustFault::NotOurGroup(group)),
            Err(e) => return Err(TrustFault::io("change the group of", e.into())),
        }
    }
    rustix::fs::fchmod(folder, Mode::from_raw_mode(mode.into()))
        .map_err(|e| TrustFault::io("set the mode of", e.into()))
}

/// Opens a folder without following a link in the last component.
pub(super) fn open_folder(path: &Path) -> Result<File, TrustFault> {
    // With a trailing slash the link would be followed.
    let path: &Path = &path.components().collect::<PathBuf>();
    let flags = OFlags::RDONLY | OFlags::CLOEXEC | OFlags::DIRECTORY | OFlags::NOFOLLOW;
    match rustix::fs::open(path, flags, Mode::empty()) {
        Ok(fd) => Ok(File::from(fd)),
        // Linux reports a link as "not a folder", other systems as "too many links".
        Err(Errno::LOOP | Errno::NOTDIR) => {
            let link = path.symlink_metadata().is_ok_and(|meta| meta.is_symlink());
            Err(if link {
                TrustFault::IsALink
            } else {
                TrustFault::NotAFolder
            })
        }
        Err(e) => Err(TrustFault::io("open", e.into())),
    }
}
