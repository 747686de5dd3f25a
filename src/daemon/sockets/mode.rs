//! The mode of the token socket, which may be decided after the socket is bound.
//!
//! At the start, the configuration may be unreadable or its group unknown. Then the socket is private until the mode is
//! decided.

use std::path::Path;

use tokio::sync::{mpsc, oneshot};
use tracing::warn;

use super::super::service::SocketKind;
use super::listen_error::ListenError;
use super::listener::{BoundSocket, set_mode};
use super::socket_spec::{SocketSpec, inode, sharing};
use super::{Origin, Sockets};
use crate::config::SocketMode;
use crate::trust;

/// A request to change the mode of the token socket.
#[derive(Debug)]
pub(in crate::daemon) struct ModeChange {
    mode: SocketMode,
    is_decided: bool,
    done: oneshot::Sender<Result<(), ListenError>>,
}

/// Changes the mode of the token socket, which another task keeps in place.
#[derive(Debug, Clone)]
pub struct ModeSetter(mpsc::Sender<ModeChange>);

/// Creates a setter, and the receiver of its requests, which goes to [`Sockets::keep`].
pub(in crate::daemon) fn mode_setter() -> (ModeSetter, mpsc::Receiver<ModeChange>) {
    let (sender, changes) = mpsc::channel(1);
    (ModeSetter(sender), changes)
}

// === impl ModeSetter ===

impl ModeSetter {
    /// Gives the token socket this mode, if we have bound it. `is_decided` says whether the mode is that of the
    /// configuration, rather than a temporary one.
    ///
    /// # Errors
    /// [`ListenError`]. The socket is not open to more users than before then.
    pub async fn set(&self, mode: SocketMode, is_decided: bool) -> Result<(), ListenError> {
        let (done, result) = oneshot::channel();
        let change = ModeChange {
            mode,
            is_decided,
            done,
        };
        // Without a receiver, the sockets are lost and the daemon is about to end.
        if self.0.send(change).await.is_err() {
            return Ok(());
        }
        result.await.unwrap_or(Ok(()))
    }
}

#[cfg(test)]
impl ModeChange {
    /// Reports success, and returns the requested mode.
    pub(in crate::daemon) fn accept(self) -> (SocketMode, bool) {
        self.done.send(Ok(())).unwrap();
        (self.mode, self.is_decided)
    }

    /// Reports failure.
    pub(in crate::daemon) fn refuse(self, why: ListenError) {
        self.done.send(Err(why)).unwrap();
    }
}

// === impl Sockets ===

impl Sockets {
    pub(super) fn carry_out(&mut self, change: ModeChange) {
        let result = self.change_mode(change.mode, change.is_decided);
        // The caller may have gone away.
        let _: Result<(), _> = change.done.send(result);
    }

    fn change_mode(&mut self, mode: SocketMode, is_decided: bool) -> Result<(), ListenError> {
        let Origin::Ours(bound) = &self.tokens.origin else {
            return Ok(());
        };
        let places = &mut self.places;
        let before = (places.mode, places.is_mode_decided);
        (places.mode, places.is_mode_decided) = (mode, is_decided);
        let changed = places.at(SocketKind::Tokens, |place| set(place, bound));
        match &changed {
            Ok(()) => warn_of_barrier(&places.paths.token, mode),
            Err(_) => (places.mode, places.is_mode_decided) = before,
        }
        changed
    }
}

/// Gives a socket and its folder the mode of the place. At no moment can more users connect than before or after.
fn set(place: SocketSpec<'_>, bound: &BoundSocket) -> Result<(), ListenError> {
    let path = place.socket;
    if inode(path).ok() != Some(bound.inode()) {
        // The socket is missing, and will be created again with this mode.
        return Ok(());
    }
    let io_error = |e: rustix::io::Errno| ListenError::Io {
        action: "set the mode of",
        path: path.to_owned(),
        source: e.into(),
    };
    set_mode(path, SocketMode::Private).map_err(io_error)?;
    let folder = place.folder(bound.is_folder_new());
    folder.prepare().map_err(ListenError::Folder)?;
    set_mode(path, place.mode).map_err(io_error)
}

/// Logs a warning if a folder above the socket keeps out users that the mode admits.
pub(in crate::daemon) fn warn_of_barrier(socket: &Path, mode: SocketMode) {
    if let Some(folder) = trust::barrier(socket, sharing(mode)) {
        warn!(folder = %folder.display(), mode = mode.as_str(), "the socket's mode allows users whom this folder blocks; choose another path with --socket");
    }
}

#[cfg(test)]
mod tests {
    use std::fs::{DirBuilder, Permissions, set_permissions};
    use std::os::unix::fs::{DirBuilderExt as _, PermissionsExt as _};
    use std::path::PathBuf;

    use super::super::listener::listen_at;
    use super::*;

    fn mode(path: &Path) -> u32 {
        path.symlink_metadata().unwrap().permissions().mode() & 0o7777
    }

    fn ours() -> SocketMode {
        SocketMode::Group(rustix::process::getegid().as_raw())
    }

    #[test]
    fn a_mode_decided_later_is_applied_to_socket_and_folder() {
        use SocketMode::{All, Private};
        // The mode of an existing folder, whether the user named the folder, the new mode, the modes of the socket and
        // the folder after it, and whether it could be set.
        for (before, explicit, to, socket, folder, fits) in [
            (None, true, ours(), 0o660, 0o710, true),
            (None, true, All, 0o666, 0o755, true),
            (None, true, Private, 0o600, 0o700, true),
            (None, false, ours(), 0o660, 0o710, true),
            (Some(0o710), true, ours(), 0o660, 0o710, true),
            (Some(0o750), true, ours(), 0o660, 0o750, true),
            (Some(0o755), true, All, 0o666, 0o755, true),
            (Some(0o700), true, Private, 0o600, 0o700, true),
            (Some(0o755), false, ours(), 0o660, 0o710, true),
            (Some(0o700), false, All, 0o666, 0o755, true),
            (Some(0o755), false, Private, 0o600, 0o700, true),
            // The user named the folder, so it is not ours to change.
            (Some(0o700), true, ours(), 0o600, 0o700, false),
            (Some(0o755), true, Private, 0o600, 0o755, false),
        ] {
            let case = format!("{before:?} {explicit} {to:?}");
            let dir = tempfile::tempdir().unwrap();
            let at = dir.path().join("jeton");
            if let Some(mode) = before {
                DirBuilder::new().create(&at).unwrap();
                set_permissions(&at, Permissions::from_mode(mode)).unwrap();
            }
            let [path, lock]: [PathBuf; 2] = ["s", "s.lock"].map(|name| at.join(name));
            let undecided = SocketSpec {
                socket: &path,
                lock: &lock,
                mode: Private,
                is_mode_decided: false,
                explicit,
                below_volume: None,
                uid: rustix::process::geteuid().as_raw(),
            };
            let (_listener, bound) = listen_at(undecided).unwrap();
            let found = (mode(&path), mode(&at));
            assert_eq!(found, (0o600, before.unwrap_or(0o700)), "{case}");
            let decided = SocketSpec {
                mode: to,
                is_mode_decided: true,
                ..undecided
            };
            assert_eq!(set(decided, &bound).is_ok(), fits, "{case}");
            assert_eq!((mode(&path), mode(&at)), (socket, folder), "{case}");
            // If the group becomes unknown again, the socket is closed and its folder stays as it is.
            if fits {
                set(undecided, &bound).unwrap();
                assert_eq!(mode(&path), 0o600, "{case}");
            }
        }
    }

    #[test]
    fn a_folder_writable_by_others_is_refused_while_the_mode_is_undecided() {
        let dir = tempfile::tempdir().unwrap();
        let at = dir.path().join("jeton");
        DirBuilder::new().mode(0o700).create(&at).unwrap();
        for mode in [0o770, 0o707, 0o777] {
            set_permissions(&at, Permissions::from_mode(mode)).unwrap();
            let place = SocketSpec {
                socket: &at.join("s"),
                lock: &at.join("s.lock"),
                mode: SocketMode::Private,
                is_mode_decided: false,
                explicit: true,
                below_volume: None,
                uid: rustix::process::geteuid().as_raw(),
            };
            assert!(matches!(listen_at(place), Err(ListenError::Folder(_))));
        }
    }
}
