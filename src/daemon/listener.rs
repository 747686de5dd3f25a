//! A socket that nobody else can take, open wider or put in our place: its folder, its lock, its mode.
//!
//! The order is what makes it safe: the folder is ours alone before anything is in it; the lock is ours before the old
//! socket is judged stale; the socket has its mode before it has its name.

use std::fs::{File, OpenOptions, TryLockError};
use std::io;
use std::os::unix::fs::{FileTypeExt, MetadataExt, OpenOptionsExt};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};

use rustix::fs::{Mode, fchmod};
use rustix::net::{
    AddressFamily, SocketAddrUnix, SocketFlags, SocketType, bind, listen, socket_with,
};

use crate::causes::Causes;
use crate::trust::{Untrusted, private_dir, resolve};

/// How many connections may wait to be accepted.
const BACKLOG: i32 = 4_096;

/// A socket that is being served. Dropping it removes it, unless something else is in its place by now.
#[derive(Debug)]
pub struct Bound {
    path: PathBuf,
    inode: (u64, u64),
    /// Held for life: as long as it is, nobody else judges our socket stale.
    _lock: File,
}

/// Why a socket cannot be served.
#[derive(Debug)]
#[non_exhaustive]
pub enum ListenError {
    /// Its folder cannot be trusted.
    Folder(Untrusted),
    /// Another daemon serves it.
    InUse(PathBuf),
    /// Something that is not a socket is in its place.
    NotASocket(PathBuf),
    /// The system refused something.
    Io {
        /// What was being done.
        action: &'static str,
        /// To what.
        path: PathBuf,
        /// What it said.
        source: io::Error,
    },
}

/// Binds the socket at `path` with mode 0600, in a folder that is ours alone and is made when it is missing, under a
/// lock at `lock`.
///
/// # Errors
/// [`ListenError`]; nothing of another daemon has been touched then.
pub fn listen_at(path: &Path, lock: &Path, uid: u32) -> Result<(UnixListener, Bound), ListenError> {
    let io_error = |action, path: &Path| {
        let path = path.to_owned();
        move |source: io::Error| ListenError::Io {
            action,
            path,
            source,
        }
    };
    let folder = path.parent().unwrap_or(Path::new("."));
    private_dir(folder, uid).map_err(ListenError::Folder)?;
    resolve(folder, uid).map_err(ListenError::Folder)?;
    let held = OpenOptions::new()
        .read(true)
        .write(true)
        .create(true)
        .truncate(false)
        .mode(0o600)
        .custom_flags(rustix::fs::OFlags::NOFOLLOW.bits().cast_signed())
        .open(lock)
        .map_err(io_error("open the lock", lock))?;
    match held.try_lock() {
        Ok(()) => {}
        Err(TryLockError::WouldBlock) => return Err(ListenError::InUse(path.to_owned())),
        Err(TryLockError::Error(e)) => return Err(io_error("lock", lock)(e)),
    }
    remove_stale(path)?;
    let bound = bind_private(path).map_err(|e| io_error("bind", path)(e.into()))?;
    let meta = path.symlink_metadata().map_err(io_error("look at", path))?;
    Ok((
        bound,
        Bound {
            path: path.to_owned(),
            inode: (meta.dev(), meta.ino()),
            _lock: held,
        },
    ))
}

/// Removes a socket that nobody answers. The lock is ours, so no daemon of ours serves it; a connect that is refused
/// says that nobody else does.
fn remove_stale(path: &Path) -> Result<(), ListenError> {
    let io_error = |action, source| ListenError::Io {
        action,
        path: path.to_owned(),
        source,
    };
    let meta = match path.symlink_metadata() {
        Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(()),
        Err(e) => return Err(io_error("look at", e)),
        Ok(meta) => meta,
    };
    if !meta.file_type().is_socket() {
        return Err(ListenError::NotASocket(path.to_owned()));
    }
    match UnixStream::connect(path) {
        Ok(_) => Err(ListenError::InUse(path.to_owned())),
        Err(e) if e.kind() == io::ErrorKind::ConnectionRefused => {
            std::fs::remove_file(path).map_err(|e| io_error("remove the stale socket", e))
        }
        Err(e) => Err(io_error("connect to", e)),
    }
}

/// A listening socket that is never open to others, not for a moment: Linux gives the file the mode that the socket's
/// descriptor has when it is bound. Where that is not so, the folder of mode 0700 covers the moment until the chmod.
fn bind_private(path: &Path) -> rustix::io::Result<UnixListener> {
    let socket = socket_with(
        AddressFamily::UNIX,
        SocketType::STREAM,
        SocketFlags::CLOEXEC,
        None,
    )?;
    let mode = Mode::RUSR | Mode::WUSR;
    // Not every system lets a socket's descriptor be changed; the chmod below then does it.
    let _: Result<(), _> = fchmod(&socket, mode);
    bind(&socket, &SocketAddrUnix::new(path)?)?;
    rustix::fs::chmod(path, mode)?;
    listen(&socket, BACKLOG)?;
    Ok(UnixListener::from(socket))
}

impl Drop for Bound {
    fn drop(&mut self) {
        let ours = self
            .path
            .symlink_metadata()
            .is_ok_and(|meta| (meta.dev(), meta.ino()) == self.inode);
        if ours {
            // A socket left behind is stale, and the next start removes it.
            let _: io::Result<()> = std::fs::remove_file(&self.path);
        }
    }
}

// === impl ListenError ===

impl std::fmt::Display for ListenError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Folder(untrusted) => write!(f, "the socket's folder: {}", Causes(untrusted)),
            Self::InUse(path) => write!(f, "a daemon already serves {}", path.display()),
            Self::NotASocket(path) => write!(
                f,
                "{} is in the socket's place and is not a socket; move it away",
                path.display()
            ),
            Self::Io {
                action,
                path,
                source,
            } => write!(f, "cannot {action} {}: {source}", path.display()),
        }
    }
}

impl std::error::Error for ListenError {}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::{PermissionsExt, symlink};

    use super::*;

    struct Place {
        _dir: tempfile::TempDir,
        folder: PathBuf,
        socket: PathBuf,
        lock: PathBuf,
        uid: u32,
    }

    fn place() -> Place {
        let dir = tempfile::tempdir().unwrap();
        let folder = dir.path().join("jeton");
        Place {
            socket: folder.join("jeton.sock"),
            lock: folder.join("jeton.sock.lock"),
            folder,
            _dir: dir,
            uid: rustix::process::geteuid().as_raw(),
        }
    }

    fn mode(path: &Path) -> u32 {
        path.symlink_metadata().unwrap().permissions().mode() & 0o7777
    }

    fn listen(place: &Place) -> Result<(UnixListener, Bound), ListenError> {
        listen_at(&place.socket, &place.lock, place.uid)
    }

    #[test]
    fn the_folder_the_lock_and_the_socket_are_ours_alone() {
        let place = place();
        let (_listener, bound) = listen(&place).unwrap();
        assert_eq!(
            [&place.folder, &place.lock, &place.socket].map(|p| mode(p)),
            [0o700, 0o600, 0o600]
        );
        drop(bound);
        assert!(!place.socket.exists());
    }

    #[test]
    fn a_daemon_that_is_there_is_left_alone() {
        let place = place();
        let first = listen(&place).unwrap();
        let inode = place.socket.symlink_metadata().unwrap().ino();
        assert!(matches!(listen(&place), Err(ListenError::InUse(_))));
        assert_eq!(place.socket.symlink_metadata().unwrap().ino(), inode);
        UnixStream::connect(&place.socket).unwrap();
        drop(first);
        assert!(listen(&place).is_ok());
    }

    #[test]
    fn a_listener_without_the_lock_is_left_alone_too() {
        let place = place();
        drop(listen(&place).unwrap());
        let _other = UnixListener::bind(&place.socket).unwrap();
        assert!(matches!(listen(&place), Err(ListenError::InUse(_))));
        assert!(place.socket.exists());
    }

    #[test]
    fn a_stale_socket_is_replaced_and_anything_else_is_not() {
        let place = place();
        let (listener, bound) = listen(&place).unwrap();
        std::mem::forget(bound);
        drop(listener);
        assert!(place.socket.exists());
        // The forgotten lock is still held by this process; a new name for it stands for the next process.
        let lock = place.folder.join("other.lock");
        drop(listen_at(&place.socket, &lock, place.uid).unwrap());
        std::fs::write(&place.socket, "precious").unwrap();
        assert!(matches!(
            listen_at(&place.socket, &lock, place.uid),
            Err(ListenError::NotASocket(_))
        ));
        assert_eq!(std::fs::read_to_string(&place.socket).unwrap(), "precious");
    }

    #[test]
    fn a_folder_or_a_lock_that_others_could_have_prepared_is_refused() {
        let open = place();
        std::fs::create_dir(&open.folder).unwrap();
        std::fs::set_permissions(&open.folder, PermissionsExt::from_mode(0o755)).unwrap();
        assert!(matches!(listen(&open), Err(ListenError::Folder(_))));
        assert!(!open.lock.exists());

        let linked = place();
        let elsewhere = tempfile::tempdir().unwrap();
        symlink(elsewhere.path(), &linked.folder).unwrap();
        assert!(matches!(listen(&linked), Err(ListenError::Folder(_))));

        let target = elsewhere.path().join("victim");
        let planted = place();
        std::fs::create_dir(&planted.folder).unwrap();
        std::fs::set_permissions(&planted.folder, PermissionsExt::from_mode(0o700)).unwrap();
        symlink(&target, &planted.lock).unwrap();
        assert!(matches!(listen(&planted), Err(ListenError::Io { .. })));
        assert!(!target.exists());
    }

    #[test]
    fn the_socket_of_a_successor_is_not_removed() {
        let place = place();
        let (_listener, bound) = listen(&place).unwrap();
        std::fs::remove_file(&place.socket).unwrap();
        let _successor = UnixListener::bind(&place.socket).unwrap();
        drop(bound);
        assert!(place.socket.exists());
    }
}
