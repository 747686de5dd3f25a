//! The two kinds of folder in which other users' daemons are trusted: the system's own, and a volume that the
//! containers of a pod share.

use core::ffi::CStr;

use super::SplitPath;
use crate::bytes::join;
use crate::output::Decimal;
use crate::sys::linux::{AT_EMPTY_PATH, AT_FDCWD, AT_NO_AUTOMOUNT, AT_SYMLINK_NOFOLLOW, Statx};
use crate::sys::{self, Address, File};

/// The ID that stands for every user of another namespace without an ID in ours. It may also be a user of ours.
const UNMAPPED: u32 = 65_534;

/// The users, besides our own and root, whose daemons are trusted in a folder.
pub(super) enum TrustedUsers {
    ToNoUser,
    Of(u32),
    ToEveryUser,
}

/// The folders of the system's daemon. Only root can create them.
const SYSTEM: [&CStr; 2] = [c"/run/jeton", c"/run/jeton-admin"];

/// The permission bits of a volume: those of a Kubernetes `emptyDir`, without and with an `fsGroup`. Every container
/// that shares it can replace its content. A folder with the sticky bit is not a volume, but a folder for many users,
/// such as `/tmp`.
const VOLUME_MODES: [u16; 2] = [0o777, 0o2777];

/// Write permission of the group and of others.
const OTHERS_WRITE: u16 = 0o022;

/// Pins the folder of a place, and returns the socket's address through the pinned folder.
pub(super) fn pin_folder(place: SplitPath<'_>) -> Option<(File, Address)> {
    let mut room = [0; Address::LONGEST];
    let path = join(&mut room, &[place.base, place.tail])?;
    let (folder, name) = match path.iter().rposition(|&byte| byte == b'/') {
        None => (b".".as_slice(), path),
        Some(0) => (b"/".as_slice(), path.get(1..)?),
        Some(at) => (path.get(..at)?, path.get(at + 1..)?),
    };
    let mut room = [0; Address::LONGEST + 1];
    let folder = join(&mut room, &[folder, b"\0"])?;
    let folder = File::pin(CStr::from_bytes_with_nul(folder).ok()?).ok()?;
    // The descriptor is at least 0.
    let fd = Decimal::new(folder.fd().unsigned_abs());
    let address = Address::new(&[b"/proc/self/fd/", fd.digits(), b"/", name])?;
    Some((folder, address))
}

/// Returns the users whose daemons are trusted in this folder.
pub(super) fn trusted_users_of(folder: &File) -> TrustedUsers {
    let look = |path: &CStr| sys::statx(folder.fd(), path, AT_EMPTY_PATH | AT_NO_AUTOMOUNT).ok();
    let Some(here) = look(c"") else {
        return TrustedUsers::ToNoUser;
    };
    if is_volume(&here) || look(c"..").is_some_and(|above| is_volume(&above)) {
        return TrustedUsers::ToEveryUser;
    }
    let is_system = |path: &&CStr| look_at(path).is_some_and(|system| system.is(&here));
    if here.folder_mode().is_some() && SYSTEM.iter().any(is_system) && only_root_makes_them() {
        return TrustedUsers::Of(here.owner());
    }
    TrustedUsers::ToNoUser
}

/// Reports whether a folder is a volume that containers share. The root folder is not, whatever its mode.
#[inline(never)]
fn is_volume(folder: &Statx) -> bool {
    let mode = folder.folder_mode();
    mode.is_some_and(|mode| VOLUME_MODES.contains(&mode))
        && is_roots(folder)
        && folder.is_mount_point()
        && !look_at(c"/").is_some_and(|root| root.is(folder))
}

/// Reports whether only root can write to the folder above [`SYSTEM`], as on every usual system. In a container, every
/// user may be able to.
fn only_root_makes_them() -> bool {
    look_at(c"/run").is_some_and(|run| {
        let mode = run.folder_mode();
        mode.is_some_and(|mode| mode & OTHERS_WRITE == 0) && is_roots(&run)
    })
}

/// Reports whether root owns it. In another user namespace the machine's root is one of the users without an ID.
fn is_roots(folder: &Statx) -> bool {
    folder.owner() == 0 || is_unmapped(folder.owner())
}

/// Returns the data of the entry at a path, without following a link.
#[inline(never)]
fn look_at(path: &CStr) -> Option<Statx> {
    sys::statx(AT_FDCWD, path, AT_SYMLINK_NOFOLLOW | AT_NO_AUTOMOUNT).ok()
}

/// Reports whether this ID may stand for any user of another namespace.
pub(super) fn is_unmapped(uid: u32) -> bool {
    uid == UNMAPPED && is_foreign_namespace()
}

/// Reports whether our users are not those of the machine. If the kernel does not report it, they are the machine's.
#[inline(never)]
fn is_foreign_namespace() -> bool {
    let mut map = [0; 64];
    let read = File::open(c"/proc/self/uid_map").and_then(|file| sys::read(file.fd(), &mut map));
    let Ok(length) = read else {
        return false;
    };
    let words = map.get(..length).unwrap_or_default();
    let words = words.split(u8::is_ascii_whitespace);
    let words = words.filter(|word| !word.is_empty());
    // The map of the initial namespace: all IDs from 0 on map to the same IDs outside.
    !words.eq([b"0".as_slice(), b"0", b"4294967295"])
}
