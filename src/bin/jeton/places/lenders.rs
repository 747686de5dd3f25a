//! The two kinds of folder in which other users' daemons are believed: the system's own, and a volume that the containers
//! of a pod share.

use core::ffi::CStr;

use super::Place;
use crate::bytes::join;
use crate::output::Decimal;
use crate::sys::linux::{AT_EMPTY_PATH, AT_FDCWD, AT_NO_AUTOMOUNT, AT_SYMLINK_NOFOLLOW, Statx};
use crate::sys::{self, Address, File};

/// The number of every user of another namespace that ours does not map. It may be a user of ours too.
const UNMAPPED: u32 = 65_534;

/// Whose daemons are believed in a folder, beside our user's and root's.
pub(super) enum Lent {
    ToNoUser,
    Of(u32),
    ToEveryUser,
}

/// The folders of a daemon that serves the machine. Only root can make them.
const SYSTEM: [&CStr; 2] = [c"/run/jeton", c"/run/jeton-admin"];

/// Permission bits of a volume: as Kubernetes makes an `emptyDir`, without and with an `fsGroup`. Every container that
/// shares it can replace what is in it. A folder with the sticky bit is one for many users, such as `/tmp`.
const VOLUME_MODES: [u16; 2] = [0o777, 0o2777];

/// Write permission of the group and of others.
const OTHERS_WRITE: u16 = 0o022;

/// The folder of a place, pinned, and the socket's address through it.
pub(super) fn pin(place: Place<'_>) -> Option<(File, Address)> {
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
    // At least 0.
    let fd = Decimal::new(folder.fd().unsigned_abs());
    let address = Address::new(&[b"/proc/self/fd/", fd.digits(), b"/", name])?;
    Some((folder, address))
}

/// Whose daemons this folder makes believed.
pub(super) fn lent_by(folder: &File) -> Lent {
    let look = |path: &CStr| sys::statx(folder.fd(), path, AT_EMPTY_PATH | AT_NO_AUTOMOUNT).ok();
    let Some(here) = look(c"") else {
        return Lent::ToNoUser;
    };
    if is_volume(&here) || look(c"..").is_some_and(|above| is_volume(&above)) {
        return Lent::ToEveryUser;
    }
    let is_system = |path: &&CStr| look_at(path).is_some_and(|system| system.is(&here));
    if here.folder_mode().is_some() && SYSTEM.iter().any(is_system) && only_root_makes_them() {
        return Lent::Of(here.owner());
    }
    Lent::ToNoUser
}

/// Whether a folder is a volume that containers share. The root folder does not count as one, whatever its mode.
#[inline(never)]
fn is_volume(folder: &Statx) -> bool {
    let mode = folder.folder_mode();
    mode.is_some_and(|mode| VOLUME_MODES.contains(&mode))
        && is_roots(folder)
        && folder.is_mount_point()
        && !look_at(c"/").is_some_and(|root| root.is(folder))
}

/// Whether the folder above [`SYSTEM`] is root's alone to write, as it is on every usual system. In a container it may be
/// open to every user.
fn only_root_makes_them() -> bool {
    look_at(c"/run").is_some_and(|run| {
        let mode = run.folder_mode();
        mode.is_some_and(|mode| mode & OTHERS_WRITE == 0) && is_roots(&run)
    })
}

/// Whether root owns it. In another user namespace the machine's root is one of the users without a number.
fn is_roots(folder: &Statx) -> bool {
    folder.owner() == 0 || is_unmapped(folder.owner())
}

/// What is at a path itself, be it a link.
#[inline(never)]
fn look_at(path: &CStr) -> Option<Statx> {
    sys::statx(AT_FDCWD, path, AT_SYMLINK_NOFOLLOW | AT_NO_AUTOMOUNT).ok()
}

/// Whether this number may stand for any user of another namespace.
pub(super) fn is_unmapped(uid: u32) -> bool {
    uid == UNMAPPED && is_foreign_namespace()
}

/// Whether our users are not those of the machine; if the kernel does not tell, they are.
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
    // From 0 on, as outside from 0 on, all of them.
    !words.eq([b"0".as_slice(), b"0", b"4294967295"])
}
