//! Where the sockets of a daemon are, also in a volume that several containers share.

use std::path::Path;

use rustix::fs::{Access, AtFlags, CWD, accessat};

use crate::paths::{Env, PathError, SocketPlaces};
use crate::trust::is_volume;

/// As [`Env::sockets`], and the place of the admin socket when the token socket is at the very mount point of a volume.
///
/// What is beside a mount point is outside of the volume, and so a container that is given the volume cannot administer.
/// But in a pod an ordinary user can make nothing there. Then the admin socket is in the volume, in a folder of mode
/// 0700: other users of the volume cannot use it, the daemon's own user can.
///
/// # Errors
/// [`PathError`] when a path cannot be that of a socket.
pub(super) fn find(
    env: &Env,
    token: Option<&Path>,
    admin: Option<&Path>,
    is_folder: impl Fn(&Path) -> bool,
) -> Result<SocketPlaces, PathError> {
    let places = env.sockets(token, admin, is_folder)?;
    let at_mount_point = places.token.parent().is_some_and(is_volume);
    if !places.explicit || places.admin_explicit || !at_mount_point || can_have(&places.admin) {
        return Ok(places);
    }
    places.with_admin_inside(env.platform)
}

/// Whether the folder of this socket is there, or can be made.
fn can_have(socket: &Path) -> bool {
    let Some(folder) = socket.parent() else {
        return false;
    };
    let may_make = |parent: &Path| {
        accessat(
            CWD,
            parent,
            Access::WRITE_OK | Access::EXEC_OK,
            AtFlags::EACCESS,
        )
        .is_ok()
    };
    folder.is_dir() || folder.parent().is_some_and(may_make)
}
