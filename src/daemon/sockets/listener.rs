//! Binds a socket that no other user can take over, open wider or replace, with its folder, its lock and its mode.
//!
//! The order of the steps makes this safe. Before the folder has any content, only we can write to it. We hold the lock
//! before we judge the old socket stale. The socket gets its path while only we can access it, then its group, then its
//! mode. It accepts connections only after that.

use std::fs::{File, OpenOptions};
use std::io;
use std::os::unix::fs::{FileTypeExt, MetadataExt, OpenOptionsExt};
use std::os::unix::net::UnixListener;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustix::fs::{AtFlags, CWD, Gid, Mode, chmod, chownat, fchmod};
use rustix::io::Errno;
use rustix::net::{
    AddressFamily, SocketAddrUnix, SocketFlags, SocketType, bind, connect, listen, socket_with,
};
use tracing::warn;

use super::super::serve::peers;
use super::listen_error::ListenError;
use super::socket_spec::{Inode, SocketSpec, inode};
use crate::config::SocketMode;
use crate::file_lock::{FileLock, NotLocked};
use crate::process::manager::SystemdManager;
use crate::trust::{UntrustedPath, judge_lock};

/// Length of the listen backlog, chosen with `benches/attacks`. A new connection waits up to 75 ms behind users who
/// renew thousands of connections. With a backlog of 8 it would wait 0.1 ms. But then a client that does not block
/// would fail during such a flood, and so would a burst of such clients.
const BACKLOG: i32 = 4_096;

/// A socket that is being served. Dropping it removes the socket file, unless another file is in its place by then.
#[derive(Debug)]
pub struct BoundSocket {
    path: PathBuf,
    inode: Inode,
    /// The volume that contains the socket, if every user can write to it.
    volume: Option<PathBuf>,
    /// Whether the folder was created for this socket.
    is_folder_new: bool,
    /// Held as long as this value exists, so that no other daemon judges our socket stale.
    lock: Arc<FileLock>,
}

/// Binds a socket with its mode, under its lock. Creates its folder if it is missing.
///
/// # Errors
/// [`ListenError`]. Nothing of another daemon has been touched then.
pub fn listen_at(place: SocketSpec<'_>) -> Result<(UnixListener, BoundSocket), ListenError> {
    listen_with(place, None)
}

/// Binds the socket again after its file has disappeared. We still hold the lock, unless the lock's file has
/// disappeared as well. In that case another daemon may have taken the place.
///
/// # Errors
/// As [`listen_at`]. `bound` stays as it was.
pub fn listen_again(
    place: SocketSpec<'_>,
    bound: &mut BoundSocket,
) -> Result<UnixListener, ListenError> {
    // The new `BoundSocket` shares the lock, because dropping the old one must not unlock the file.
    let held = Arc::clone(&bound.lock);
    let (listener, mut new) = listen_with(place, Some(held))?;
    new.is_folder_new |= bound.is_folder_new;
    *bound = new;
    Ok(listener)
}

fn listen_with(
    place: SocketSpec<'_>,
    held: Option<Arc<FileLock>>,
) -> Result<(UnixListener, BoundSocket), ListenError> {
    let (path, lock) = (place.socket, place.lock);
    let io_error = |action, path: &Path| {
        let path = path.to_owned();
        move |source: io::Error| ListenError::Io {
            action,
            path,
            source,
        }
    };
    let is_folder_new = !path.parent().is_some_and(Path::exists);
    let folder = place.folder(is_folder_new);
    let judged = folder.judge();
    if judged.as_ref().err().is_none_or(UntrustedPath::is_of_mode) {
        // Check this first: the folder of a running daemon must stay as that daemon needs it.
        refuse_if_served(path)?;
    }
    let volume = folder.prepare().map_err(ListenError::Folder)?;
    let file = OpenOptions::new()
        .read(true)
        .write(true)
        .create(true)
        .truncate(false)
        .mode(0o600)
        .custom_flags(rustix::fs::OFlags::NOFOLLOW.bits().cast_signed())
        .open(lock)
        .map_err(io_error("open the lock", lock))?;
    if volume.is_some() {
        judge_lock(&file, lock, place.uid).map_err(ListenError::Folder)?;
    }
    let held = match held.filter(|held| is_same(held.file(), &file)) {
        Some(held) => held,
        None => match FileLock::try_exclusive(file) {
            Ok(lock) => Arc::new(lock),
            Err(NotLocked::Held) => return Err(ListenError::InUse(path.to_owned())),
            Err(NotLocked::Unsupported(e) | NotLocked::Io(e)) => {
                return Err(io_error("lock", lock)(e));
            }
        },
    };
    remove_stale(path)?;
    let bound = bind_for(path, place.mode).map_err(|e| io_error("bind", path)(e.into()))?;
    let inode = inode(path).map_err(io_error("look at", path))?;
    Ok((
        bound,
        BoundSocket {
            path: path.to_owned(),
            inode,
            volume,
            is_folder_new,
            lock: held,
        },
    ))
}

fn is_same(a: &File, b: &File) -> bool {
    match (a.metadata(), b.metadata()) {
        (Ok(a), Ok(b)) => (a.dev(), a.ino()) == (b.dev(), b.ino()),
        _ => false,
    }
}

/// Removes a socket that no process serves. We hold the lock, so no other daemon serves it. A refused connect shows
/// that no other process does either.
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
    if let Some(listening) = listening(path).map_err(|e| io_error("connect to", e.into()))? {
        return Err(listening.at(path));
    }
    std::fs::remove_file(path).map_err(|e| io_error("remove the stale socket", e))
}

/// Fails if a process already listens at the path.
fn refuse_if_served(path: &Path) -> Result<(), ListenError> {
    let is_socket = |meta: std::fs::Metadata| meta.file_type().is_socket();
    if !path.symlink_metadata().is_ok_and(is_socket) {
        return Ok(());
    }
    // Ignore errors here: the check is repeated under the lock.
    match listening(path) {
        Ok(Some(listening)) => Err(listening.at(path)),
        Ok(None) | Err(_) => Ok(()),
    }
}

/// The kind of process that listens on a socket.
enum ListenerKind {
    /// A service manager, for a service of ours.
    Manager(SystemdManager),
    /// Another process, or one that the kernel does not identify.
    Process,
}

impl ListenerKind {
    fn at(&self, path: &Path) -> ListenError {
        let path = path.to_owned();
        match self {
            Self::Manager(manager) => ListenError::OfAService {
                path,
                manager: *manager,
            },
            Self::Process => ListenError::InUse(path),
        }
    }
}

/// Finds out what listens on a socket, if anything does. Does not wait, even if the backlog of that process is full.
fn listening(path: &Path) -> rustix::io::Result<Option<ListenerKind>> {
    let socket = socket_with(
        AddressFamily::UNIX,
        SocketType::STREAM,
        SocketFlags::CLOEXEC,
        None,
    )?;
    rustix::io::ioctl_fionbio(&socket, true)?;
    match connect(&socket, &SocketAddrUnix::new(path)?) {
        Ok(()) => {
            let pid = peers::credentials(&socket.into());
            let pid = pid.ok().and_then(|(_, _, pid)| pid);
            let manager = pid.and_then(SystemdManager::of);
            Ok(Some(
                manager.map_or(ListenerKind::Process, ListenerKind::Manager),
            ))
        }
        Err(Errno::AGAIN | Errno::INPROGRESS) => Ok(Some(ListenerKind::Process)),
        Err(Errno::CONNREFUSED) => Ok(None),
        Err(e) => Err(e),
    }
}

/// Creates a listening socket that never admits more users than its mode allows. On Linux, the file gets the mode that
/// the descriptor has at the time of the bind. On other systems, no client can connect before the `listen`.
fn bind_for(path: &Path, mode: SocketMode) -> rustix::io::Result<UnixListener> {
    let socket = socket_with(
        AddressFamily::UNIX,
        SocketType::STREAM,
        SocketFlags::CLOEXEC,
        None,
    )?;
    let ours = Mode::RUSR | Mode::WUSR;
    // Some systems do not allow a mode change on a socket's descriptor. There the chmod below sets the mode.
    let _: Result<(), _> = fchmod(&socket, ours);
    bind(&socket, &SocketAddrUnix::new(path)?)?;
    set_mode(path, mode)?;
    listen(&socket, BACKLOG)?;
    Ok(UnixListener::from(socket))
}

/// Sets the mode of a socket. Closes the socket to all other users first.
pub(super) fn set_mode(path: &Path, mode: SocketMode) -> rustix::io::Result<()> {
    let ours = Mode::RUSR | Mode::WUSR;
    let group = Mode::RGRP | Mode::WGRP;
    chmod(path, ours)?;
    match mode {
        SocketMode::Private => Ok(()),
        SocketMode::Group(gid) => {
            let gid = Some(Gid::from_raw(gid));
            chownat(CWD, path, None, gid, AtFlags::SYMLINK_NOFOLLOW)?;
            chmod(path, ours | group)
        }
        SocketMode::All => chmod(path, ours | group | Mode::ROTH | Mode::WOTH),
    }
}

/// Logs one warning if a socket is in a volume where other users can replace it.
pub fn warn_of_volume<'a>(bound: impl IntoIterator<Item = &'a BoundSocket>) {
    if let Some(volume) = bound.into_iter().find_map(|bound| bound.volume.as_ref()) {
        warn!(volume = %volume.display(), "every user of this volume is trusted: any of them can put another socket in the place of this one");
    }
}

impl BoundSocket {
    /// The identity of the socket file.
    pub const fn inode(&self) -> Inode {
        self.inode
    }

    /// Whether the folder was created for this socket.
    pub const fn is_folder_new(&self) -> bool {
        self.is_folder_new
    }
}

impl Drop for BoundSocket {
    fn drop(&mut self) {
        if inode(&self.path).is_ok_and(|inode| inode == self.inode) {
            // A socket that is left behind is stale, and the next start removes it.
            let _: io::Result<()> = std::fs::remove_file(&self.path);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::{PermissionsExt, symlink};
    use std::os::unix::net::UnixStream;

    use super::*;

    struct Spot {
        _dir: tempfile::TempDir,
        folder: PathBuf,
        socket: PathBuf,
        lock: PathBuf,
    }

    fn place() -> Spot {
        let dir = tempfile::tempdir().unwrap();
        let folder = dir.path().join("jeton");
        Spot {
            socket: folder.join("jeton.sock"),
            lock: folder.join("jeton.sock.lock"),
            folder,
            _dir: dir,
        }
    }

    fn mode(path: &Path) -> u32 {
        path.symlink_metadata().unwrap().permissions().mode() & 0o7777
    }

    fn chmod(path: &Path, mode: u32) {
        std::fs::set_permissions(path, PermissionsExt::from_mode(mode)).unwrap();
    }

    fn with_lock(spot: &Spot, lock: &Path) -> Result<(UnixListener, BoundSocket), ListenError> {
        listen_at(SocketSpec {
            lock,
            ..private(spot)
        })
    }

    /// Describes the spot as an explicit, private place.
    fn private(spot: &Spot) -> SocketSpec<'_> {
        SocketSpec {
            socket: &spot.socket,
            lock: &spot.lock,
            mode: SocketMode::Private,
            is_mode_decided: true,
            explicit: true,
            below_volume: None,
            uid: rustix::process::geteuid().as_raw(),
        }
    }

    /// Shuts a listener down for all its duplicates. The child of another test may have one between its fork and its
    /// exec.
    fn end(listener: UnixListener) {
        rustix::net::shutdown(&listener, rustix::net::Shutdown::Both).unwrap();
        drop(listener);
    }

    fn listen(spot: &Spot) -> Result<(UnixListener, BoundSocket), ListenError> {
        listen_at(private(spot))
    }

    #[test]
    fn each_socket_mode_sets_the_modes_of_socket_and_folder() {
        let ours = rustix::process::getegid().as_raw();
        let group = SocketMode::Group(ours);
        // The folder is ours to change, so this order widens and narrows it repeatedly.
        let modes = [
            (SocketMode::All, 0o755, 0o666),
            (SocketMode::Private, 0o700, 0o600),
            (group, 0o710, 0o660),
            (SocketMode::All, 0o755, 0o666),
            (group, 0o710, 0o660),
            (SocketMode::Private, 0o700, 0o600),
        ];
        let spot = place();
        for (socket_mode, folder, socket) in modes {
            let place = SocketSpec {
                mode: socket_mode,
                explicit: false,
                ..private(&spot)
            };
            let _bound = listen_at(place).unwrap();
            assert_eq!(
                [&spot.folder, &spot.lock, &spot.socket].map(|p| mode(p)),
                [folder, 0o600, socket],
                "{socket_mode:?}"
            );
            let made = self::place();
            let _bound = listen_at(SocketSpec {
                mode: socket_mode,
                ..private(&made)
            });
            assert_eq!(
                mode(&made.folder),
                folder,
                "an explicit one that is missing"
            );
        }
    }

    #[test]
    fn a_folder_that_the_user_named_is_never_changed() {
        let spot = place();
        std::fs::create_dir(&spot.folder).unwrap();
        for (found, mode_wanted) in [
            (0o755, SocketMode::Private),
            (0o700, SocketMode::All),
            (0o777, SocketMode::All),
            (0o1777, SocketMode::All),
        ] {
            chmod(&spot.folder, found);
            let place = SocketSpec {
                mode: mode_wanted,
                ..private(&spot)
            };
            assert!(matches!(listen_at(place), Err(ListenError::Folder(_))));
            assert_eq!(mode(&spot.folder), found);
            assert!(!spot.lock.exists());
        }
    }

    #[test]
    fn folder_lock_and_socket_are_private() {
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
    fn the_socket_of_a_running_daemon_is_not_replaced() {
        let place = place();
        let first = listen(&place).unwrap();
        let inode = place.socket.symlink_metadata().unwrap().ino();
        assert!(matches!(listen(&place), Err(ListenError::InUse(_))));
        assert_eq!(place.socket.symlink_metadata().unwrap().ino(), inode);
        UnixStream::connect(&place.socket).unwrap();
        // Simulates the duplicate that a child has between its fork and its exec.
        let _duplicate = first.1.lock.file().try_clone().unwrap();
        drop(first);
        assert!(listen(&place).is_ok());
    }

    #[test]
    fn a_listener_without_our_lock_is_not_replaced() {
        let place = place();
        drop(listen(&place).unwrap());
        let _other = UnixListener::bind(&place.socket).unwrap();
        assert!(matches!(listen(&place), Err(ListenError::InUse(_))));
        assert!(place.socket.exists());
    }

    #[test]
    fn a_listener_with_a_full_backlog_is_detected_without_blocking() {
        let place = place();
        drop(listen(&place).unwrap());
        let socket = socket_with(
            AddressFamily::UNIX,
            SocketType::STREAM,
            SocketFlags::CLOEXEC,
            None,
        )
        .unwrap();
        bind(&socket, &SocketAddrUnix::new(&place.socket).unwrap()).unwrap();
        rustix::net::listen(&socket, 0).unwrap();
        let _queued = UnixStream::connect(&place.socket).unwrap();
        assert!(matches!(listen(&place), Err(ListenError::InUse(_))));
    }

    #[test]
    fn only_a_stale_socket_is_replaced() {
        let place = place();
        let (listener, bound) = listen(&place).unwrap();
        std::mem::forget(bound);
        end(listener);
        assert!(place.socket.exists());
        // This process still holds the leaked lock. A second lock file simulates the next process.
        let lock = place.folder.join("other.lock");
        drop(with_lock(&place, &lock).unwrap());
        std::fs::write(&place.socket, "precious").unwrap();
        assert!(matches!(
            with_lock(&place, &lock),
            Err(ListenError::NotASocket(_))
        ));
        assert_eq!(std::fs::read_to_string(&place.socket).unwrap(), "precious");
    }

    #[test]
    fn a_socket_folder_or_lock_that_others_could_have_made_is_refused() {
        let open = place();
        std::fs::create_dir(&open.folder).unwrap();
        chmod(&open.folder, 0o755);
        assert!(matches!(listen(&open), Err(ListenError::Folder(_))));
        assert!(!open.lock.exists());

        let linked = place();
        let elsewhere = tempfile::tempdir().unwrap();
        symlink(elsewhere.path(), &linked.folder).unwrap();
        assert!(matches!(listen(&linked), Err(ListenError::Folder(_))));

        let target = elsewhere.path().join("victim");
        let planted = place();
        std::fs::create_dir(&planted.folder).unwrap();
        chmod(&planted.folder, 0o700);
        symlink(&target, &planted.lock).unwrap();
        assert!(matches!(listen(&planted), Err(ListenError::Io { .. })));
        assert!(!target.exists());
    }

    #[test]
    fn a_removed_socket_is_bound_again_under_the_same_lock() {
        let place = place();
        let (old, mut bound) = listen(&place).unwrap();
        let before = bound.inode();
        std::fs::remove_file(&place.socket).unwrap();
        let _new = listen_again(private(&place), &mut bound).unwrap();
        assert_ne!(bound.inode(), before);
        assert_eq!(inode(&place.socket).unwrap(), bound.inode());
        assert_eq!(
            [&place.folder, &place.lock, &place.socket].map(|p| mode(p)),
            [0o700, 0o600, 0o600]
        );
        assert!(matches!(listen(&place), Err(ListenError::InUse(_))));
        drop((old, bound));
        assert!(!place.socket.exists());
    }

    #[test]
    fn rebinding_recreates_a_removed_folder_and_lock() {
        let place = place();
        let (_old, mut bound) = listen(&place).unwrap();
        std::fs::remove_dir_all(&place.folder).unwrap();
        let _new = listen_again(private(&place), &mut bound).unwrap();
        assert_eq!(
            [&place.folder, &place.lock, &place.socket].map(|p| mode(p)),
            [0o700, 0o600, 0o600]
        );
        assert!(matches!(listen(&place), Err(ListenError::InUse(_))));
    }

    #[test]
    fn rebinding_does_not_take_a_path_from_another_daemon() {
        let place = place();
        let (_old, mut bound) = listen(&place).unwrap();
        std::fs::remove_dir_all(&place.folder).unwrap();
        let (_other, others) = listen(&place).unwrap();
        let taken = listen_again(private(&place), &mut bound);
        assert!(matches!(taken, Err(ListenError::InUse(_))));
        drop(bound);
        assert_eq!(inode(&place.socket).unwrap(), others.inode());

        // The same holds for a daemon without a lock, and for a file that is not a socket.
        let place = self::place();
        let (_old, mut bound) = listen(&place).unwrap();
        std::fs::remove_file(&place.socket).unwrap();
        let other = UnixListener::bind(&place.socket).unwrap();
        let taken = listen_again(private(&place), &mut bound);
        assert!(matches!(taken, Err(ListenError::InUse(_))));
        end(other);
        // The other socket is stale now. Our old listener stays open, so that its inode number is not reused.
        let _new = listen_again(private(&place), &mut bound).unwrap();
        std::fs::remove_file(&place.socket).unwrap();
        std::fs::write(&place.socket, "precious").unwrap();
        let taken = listen_again(private(&place), &mut bound);
        assert!(matches!(taken, Err(ListenError::NotASocket(_))));
        drop(bound);
        assert_eq!(std::fs::read_to_string(&place.socket).unwrap(), "precious");
    }

    #[test]
    fn closing_does_not_remove_the_socket_of_a_successor() {
        let place = place();
        let (_listener, bound) = listen(&place).unwrap();
        std::fs::remove_file(&place.socket).unwrap();
        let _successor = UnixListener::bind(&place.socket).unwrap();
        drop(bound);
        assert!(place.socket.exists());
    }
}
