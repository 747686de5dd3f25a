//! The identity of a file, which distinguishes it from a later file with the same name.

use std::ffi::OsStr;
use std::fs::File;
use std::io;
use std::os::fd::AsFd;

use rustix::fs::AtFlags;
use rustix::io::Errno;
use serde::{Deserialize, Serialize};

/// A file's device and inode. An inode may soon be reused for another file, so the creation time counts as well if the
/// file system records it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Identity {
    device: u64,
    inode: u64,
    /// Its creation time, in nanoseconds since 1970.
    made: Option<i128>,
}

// === impl Identity ===

impl Identity {
    pub(super) fn of(file: &File) -> io::Result<Self> {
        Ok(read(file, OsStr::new(""))?)
    }

    pub(super) fn at(folder: &File, name: &OsStr) -> io::Result<Option<Self>> {
        match read(folder, name) {
            Ok(identity) => Ok(Some(identity)),
            Err(Errno::NOENT) => Ok(None),
            Err(e) => Err(e.into()),
        }
    }
}

/// Reads the identity of the file with this name, or of the open one if the name is empty. A link is not followed.
#[cfg(target_os = "linux")]
fn read(file: impl AsFd, name: &OsStr) -> rustix::io::Result<Identity> {
    use rustix::fs::{StatxFlags, statx};
    let flags = AtFlags::SYMLINK_NOFOLLOW | AtFlags::EMPTY_PATH | AtFlags::NO_AUTOMOUNT;
    let asked = StatxFlags::BASIC_STATS | StatxFlags::BTIME;
    let found = statx(file, name, flags, asked)?;
    let is_told = StatxFlags::from_bits_retain(found.stx_mask).contains(StatxFlags::BTIME);
    let seconds = i128::from(found.stx_btime.tv_sec);
    let nanoseconds = i128::from(found.stx_btime.tv_nsec);
    Ok(Identity {
        device: rustix::fs::makedev(found.stx_dev_major, found.stx_dev_minor),
        inode: found.stx_ino,
        made: is_told.then_some(seconds * 1_000_000_000 + nanoseconds),
    })
}

#[cfg(not(target_os = "linux"))]
#[allow(
    clippy::unnecessary_cast,
    clippy::cast_sign_loss,
    reason = "the fields' widths differ between systems"
)]
fn read(file: impl AsFd, name: &OsStr) -> rustix::io::Result<Identity> {
    let found = if name.is_empty() {
        rustix::fs::fstat(file)?
    } else {
        rustix::fs::statat(file, name, AtFlags::SYMLINK_NOFOLLOW)?
    };
    Ok(Identity {
        device: found.st_dev as u64,
        inode: found.st_ino as u64,
        made: None,
    })
}
