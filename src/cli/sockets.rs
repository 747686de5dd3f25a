//! The paths of a daemon's sockets, including those in a volume that several containers share.

use std::path::Path;

use rustix::fs::{Access, AtFlags, CWD, accessat};

use crate::paths::{Env, PathError, SocketPlaces};
use crate::trust::is_volume;

/// Finds the sockets as [`Env::sockets`] does, and the admin socket if the token socket is directly at the mount point
/// of a volume.
///
/// A folder beside a mount point is outside of the volume, so a container with the volume cannot administer the daemon.
/// But in a pod an ordinary user cannot make a folder there. Then the admin socket is in the volume, in a folder of
/// mode 0700: only the daemon's user can use it.
///
/// # Errors
/// [`PathError`] if a path cannot be that of a socket.
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

/// Whether the folder of this socket exists, or can be made.
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
