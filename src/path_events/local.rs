//! Whether the kernel notices every change in a folder.

use std::io;
use std::path::Path;

use rustix::fs::{AtFlags, StatxAttributes, StatxFlags};

/// Magic numbers (`statfs(2)`) of file systems that no other host changes: tmpfs, ramfs, ext4, xfs, btrfs, overlayfs,
/// f2fs, zfs.
const LOCAL: [u32; 8] = [
    0x0102_1994,
    0x8584_58f6,
    0x0000_ef53,
    0x5846_5342,
    0x9123_683e,
    0x794c_7630,
    0xf2f5_2010,
    0x2fc1_2fc1,
];

/// Reports whether only this machine's kernel changes the file system of this folder.
pub(super) fn is_local(folder: &Path) -> io::Result<bool> {
    let kind = rustix::fs::statfs(folder)?.f_type;
    // The type of the field differs between systems. The numbers have 32 bits.
    let kind = i128::from(kind) & i128::from(u32::MAX);
    Ok(LOCAL.iter().any(|local| i128::from(*local) == kind))
}

/// Whether a file is a mount point of its own, like a file that is bind-mounted into a container. Changes of its name
/// in the original folder are not visible here. Returns `false` on a kernel that does not report this.
pub(super) fn is_mounted_by_itself(file: &Path) -> io::Result<bool> {
    let flags = AtFlags::SYMLINK_NOFOLLOW;
    let stat = rustix::fs::statx(rustix::fs::CWD, file, flags, StatxFlags::empty())?;
    let root = StatxAttributes::MOUNT_ROOT;
    Ok(stat.stx_attributes_mask.contains(root) && stat.stx_attributes.contains(root))
}
