//! Whether an access list lets in more users than a mode shows.
//!
//! With a list the mode's bits for the group are its mask, the most that anybody named in it can do (acl(5)); who that is
//! only the list says.

use std::os::fd::AsFd;
use std::path::Path;

use rustix::fs::{fgetxattr, lgetxattr};
use rustix::io::Errno;

/// The lists that a file system may keep: POSIX's, and that of a server behind NFS version 4.
const LISTS: [&str; 2] = ["system.posix_acl_access", "system.nfs4_acl"];

/// Whether the folder `path`, which is no link, has an access list.
pub(super) fn of_path(path: &Path) -> bool {
    any(|name| lgetxattr(path, name, &mut [0_u8; 1]))
}

/// Whether an opened file has an access list.
pub(super) fn of_file(file: impl AsFd) -> bool {
    any(|name| fgetxattr(&file, name, &mut [0_u8; 1]))
}

/// Asks for each list with room for no more than a byte: one that is there has more, and what cannot be asked counts as one.
fn any(ask: impl Fn(&'static str) -> rustix::io::Result<usize>) -> bool {
    LISTS.iter().any(|name| {
        !matches!(
            ask(name),
            Ok(0) | Err(Errno::NODATA | Errno::NOTSUP | Errno::NOSYS)
        )
    })
}
