//! Making and judging a folder that is one user's alone.

use std::fs::{DirBuilder, File};
use std::io;
use std::os::unix::fs::DirBuilderExt as _;
use std::path::{Path, PathBuf};

use rustix::fs::{Gid, Mode, OFlags, Uid};
use rustix::io::Errno;

use super::facts::Facts;
use super::{Distrust, Purpose, Untrusted};

/// Makes sure that `path` is a folder of `uid` alone, and opens it: made with mode 0700 where it is missing, as are the
/// folders above it, else judged as it is.
///
/// `uid` is another user than ours only when root sets up a system daemon: what is made is then given to that user.
///
/// # Errors
/// [`Untrusted`] when the last name is a link or not a folder, or belongs to somebody else, or is open to others: it is
/// not changed then, because what was open may have been read.
pub fn private_dir(path: &Path, uid: u32) -> Result<File, Untrusted> {
    make_folders(path, uid, 0o700)?;
    open_private(path, uid)
}

/// Makes the folder `path` and those above it that are missing, with this mode whatever the umask.
pub(crate) fn make_folders(path: &Path, uid: u32, mode: u16) -> Result<(), Untrusted> {
    for missing in missing_folders(path) {
        make(&missing, uid, None, mode)
            .map_err(|why| Untrusted::new(&missing, why).meant_for(Purpose::State))?;
    }
    Ok(())
}

/// Opens the folder `path` that must be `uid`'s alone.
pub(crate) fn open_private(path: &Path, uid: u32) -> Result<File, Untrusted> {
    let untrusted = |why| Untrusted::new(path, why).meant_for(Purpose::State);
    let folder = open_folder(path).map_err(untrusted)?;
    let facts = Facts::of(&folder).map_err(|e| untrusted(Distrust::io("read the state of", e)))?;
    facts.judge_private_folder(uid).map_err(untrusted)?;
    Ok(folder)
}

/// Judges the lock of a socket in a folder that others can write to: one of theirs could be held for ever.
pub(crate) fn judge_lock(lock: &File, path: &Path, uid: u32) -> Result<(), Untrusted> {
    let untrusted = |why| Untrusted::new(path, why).meant_for(Purpose::Lock);
    let facts = Facts::of(lock).map_err(|e| untrusted(Distrust::io("read the state of", e)))?;
    facts.judge_own_file(uid).map_err(untrusted)
}

/// The folders to make, from the top down.
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

/// Makes a folder with this owner, group and mode: ours alone until it is theirs.
pub(super) fn make(path: &Path, uid: u32, group: Option<u32>, mode: u16) -> Result<(), Distrust> {
    match DirBuilder::new().mode(0o700).create(path) {
        Ok(()) => {}
        // Somebody else made it in between; whether it is good is judged afterwards.
        Err(e) if e.kind() == io::ErrorKind::AlreadyExists => return Ok(()),
        Err(e) => return Err(Distrust::io("make", e)),
    }
    let folder = open_folder(path)?;
    let facts = Facts::of(&folder).map_err(|e| Distrust::io("read the state of", e))?;
    if facts.owner != uid {
        rustix::fs::fchown(&folder, Some(Uid::from_raw(uid)), None)
            .map_err(|e| Distrust::io("give away", e.into()))?;
    }
    set(&folder, group, mode)
}

/// Gives a folder of ours its group and its mode, in this order.
pub(super) fn set(folder: &File, group: Option<u32>, mode: u16) -> Result<(), Distrust> {
    if let Some(group) = group {
        match rustix::fs::fchown(folder, None, Some(Gid::from_raw(group))) {
            Ok(()) => {}
            Err(Errno::PERM) => return Err(Distrust::NotOurGroup(group)),
            Err(e) => return Err(Distrust::io("change the group of", e.into())),
        }
    }
    rustix::fs::fchmod(folder, Mode::from_raw_mode(mode.into()))
        .map_err(|e| Distrust::io("set the mode of", e.into()))
}

/// Opens a folder without following a link at its last name.
pub(super) fn open_folder(path: &Path) -> Result<File, Distrust> {
    // A final slash would have the link followed.
    let path: &Path = &path.components().collect::<PathBuf>();
    let flags = OFlags::RDONLY | OFlags::CLOEXEC | OFlags::DIRECTORY | OFlags::NOFOLLOW;
    match rustix::fs::open(path, flags, Mode::empty()) {
        Ok(fd) => Ok(File::from(fd)),
        // Linux says that a link is not a folder, others that it is a link too many.
        Err(Errno::LOOP | Errno::NOTDIR) => {
            let link = path.symlink_metadata().is_ok_and(|meta| meta.is_symlink());
            Err(if link {
                Distrust::IsALink
            } else {
                Distrust::NotAFolder
            })
        }
        Err(e) => Err(Distrust::io("open", e.into())),
    }
}
