//! Access lists, which may admit more users than a file's mode shows.
//!
//! With a list, the mode's group bits are its mask: the most that any entry of the list may do (acl(5)). Only the list
//! itself names the users and groups that have entries.

use std::os::fd::AsFd;
use std::path::Path;

use rustix::fs::{fgetxattr, lgetxattr};
use rustix::io::Errno;

/// The lists that a file system may have: POSIX lists, and the lists of a server behind NFS version 4.
const LISTS: [&str; 2] = [POSIX, "system.nfs4_acl"];

const POSIX: &str = "system.posix_acl_access";

/// The largest list that is read, in bytes: some 500 entries.
const MAX_LIST: usize = 4_096;

/// The only version of the kernel's form.
const VERSION: [u8; 4] = 2_u32.to_le_bytes();

/// The entry of a named user.
const USER: u8 = 0x02;

/// The entry of a named group.
const GROUP: u8 = 0x08;

/// The entry that limits named users and groups.
const MASK: u8 = 0x10;

/// The right to read.
const READ: u8 = 4;

/// Reports whether the folder `path`, which is not a link, has an access list.
pub(super) fn of_path(path: &Path) -> bool {
    any(|name| lgetxattr(path, name, &mut [0_u8; 1]))
}

/// Reports whether an opened file has an access list.
pub(super) fn of_file(file: impl AsFd) -> bool {
    any(|name| fgetxattr(&file, name, &mut [0_u8; 1]))
}

/// Reports whether the POSIX access list of an opened file lets further users read it: a user other than root and
/// `uid`, or a group besides the file's own. A list that cannot be read counts as one that does.
pub(super) fn lets_others_read(file: impl AsFd, uid: u32) -> bool {
    // Other systems do not have these lists.
    if !cfg!(target_os = "linux") {
        return false;
    }
    let mut list = [0_u8; MAX_LIST];
    match fgetxattr(&file, POSIX, &mut list) {
        Ok(len) => others_read(list.get(..len).unwrap_or_default(), uid),
        Err(Errno::NODATA | Errno::NOTSUP | Errno::NOSYS) => false,
        Err(_) => true,
    }
}

/// Reports whether a list in the kernel's form (`linux/posix_acl_xattr.h`) has such an entry, and its mask leaves it in
/// force.
fn others_read(list: &[u8], uid: u32) -> bool {
    let Some((VERSION, entries)) = list.split_first_chunk().map(|(v, rest)| (*v, rest)) else {
        return true;
    };
    let (entries, rest) = entries.as_chunks::<8>();
    let entries = entries.iter().map(|[tag, _, rights, _, id @ ..]| {
        let is_readable = rights & READ != 0;
        (*tag, is_readable, u32::from_le_bytes(*id))
    });
    let is_masked = entries
        .clone()
        .any(|(tag, is_readable, _)| tag == MASK && !is_readable);
    let is_other = |(tag, is_readable, id): (u8, bool, u32)| match tag {
        USER => is_readable && id != 0 && id != uid,
        GROUP => is_readable,
        _ => false,
    };
    !rest.is_empty() || (!is_masked && entries.clone().any(is_other))
}

/// Queries each list with room for one byte, which an existing list exceeds. A list that cannot be queried counts as
/// existing.
fn any(ask: impl Fn(&'static str) -> rustix::io::Result<usize>) -> bool {
    LISTS.iter().any(|name| {
        !matches!(
            ask(name),
            Ok(0) | Err(Errno::NODATA | Errno::NOTSUP | Errno::NOSYS)
        )
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_access_list_that_lets_another_user_or_group_read_is_detected() {
        let list = |entries: &[(u8, u8, u32)]| {
            let mut list = VERSION.to_vec();
            for (tag, rights, id) in entries {
                list.extend([*tag, 0, *rights, 0]);
                list.extend(id.to_le_bytes());
            }
            list
        };
        let (own, group, other) = ((1, 6, !0), (4, 0, !0), (0x20, 0, !0));
        for (entries, is_read) in [
            (&[own, group, other][..], false),
            (&[own, (2, 4, 1_001), group, (0x10, 4, !0), other], true),
            (&[own, (2, 7, 1_001), group, (0x10, 0, !0), other], false),
            (&[own, (2, 3, 1_001), group, (0x10, 7, !0), other], false),
            // Our user, and root.
            (
                &[own, (2, 4, 1_000), (2, 4, 0), group, (0x10, 4, !0), other],
                false,
            ),
            (&[own, group, (8, 4, 50), (0x10, 4, !0), other], true),
            (&[own, group, (8, 1, 50), (0x10, 5, !0), other], false),
        ] {
            assert_eq!(others_read(&list(entries), 1_000), is_read, "{entries:?}");
        }
        let cut = list(&[own, group]);
        for damaged in [&[][..], &[2, 0, 0], &[3, 0, 0, 0], &cut[..cut.len() - 1]] {
            assert!(others_read(damaged, 1_000), "{damaged:?}");
        }
    }
}
