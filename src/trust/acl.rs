//! Whether an access list admits more users than the mode shows.
//!
//! With a list, the mode's group bits are its mask: the most that any entry of the list may do (acl(5)). Only the list
//! says which users and groups have entries.

use std::os::fd::AsFd;
use std::path::Path;

use rustix::fs::{fgetxattr, lgetxattr};
use rustix::io::Errno;

/// The lists that a file system may have: POSIX lists, and those of a server behind NFS version 4.
const LISTS: [&str; 2] = ["system.posix_acl_access", "system.nfs4_acl"];

/// Whether the folder `path`, which is not a link, has an access list.
pub(super) fn of_path(path: &Path) -> bool {
    any(|name| lgetxattr(path, name, &mut [0_u8; 1]))
}

/// Whether an opened file has an access list.
pub(super) fn of_file(file: impl AsFd) -> bool {
    any(|name| fgetxattr(&file, name, &mut [0_u8; 1]))
}

/// Asks for each list with room for one byte: an existing list is longer. A list that cannot be asked for counts as
/// existing.
fn any(ask: impl Fn(&'static str) -> rustix::io::Result<usize>) -> bool {
    LISTS.iter().any(|name| {
        !matches!(
            ask(name),
            Ok(0) | Err(Errno::NODATA | Errno::NOTSUP | Errno::NOSYS)
        )
    })
}
