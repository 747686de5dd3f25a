//! The possible places of a daemon's socket, and whether a daemon answers there.

use std::fs::OpenOptions;
use std::io::{self, ErrorKind};
use std::os::unix::fs::{FileTypeExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::UnixStream;

use super::super::socket_unit;
use super::super::target::Target;
use super::facts::{Listener, SocketState};
use super::limit::LIMIT;
use crate::file_lock::{FileLock, NotLocked};
use crate::paths::Env;
use crate::process::manager::SystemdManager;

/// The token sockets to examine, in the companion's order; only one if the user named it.
pub(super) fn places(socket: Option<&Path>, target: &Target, env: &Env) -> Vec<PathBuf> {
    let system = Env {
        xdg_runtime_dir: None,
        ..env.clone()
    };
    let place = |env: &Env, socket: Option<&Path>, runtime: bool| {
        let places = env.sockets(socket, None, |folder| runtime && folder.is_dir());
        places.ok().map(|places| places.token)
    };
    if target.system && socket.is_none() {
        let system = Env {
            socket: None,
            ..system
        };
        let moved = socket_unit::moved();
        let token = moved.as_ref().map(|moved| &*moved.token);
        return place(&system, token, false).into_iter().collect();
    }
    let named = socket.is_some() || env.socket.is_some();
    let usual = [
        place(env, socket, true),
        place(&system, None, true),
        place(&system, None, false),
    ];
    let mut places: Vec<PathBuf> = vec![];
    for path in usual.into_iter().take(if named { 1 } else { 3 }).flatten() {
        if !places.contains(&path) {
            places.push(path);
        }
    }
    places
}

/// Examines every place.
pub(super) async fn look(places: Vec<PathBuf>) -> Vec<(PathBuf, SocketState)> {
    let mut looked = vec![];
    for path in places {
        let state = tokio::time::timeout(LIMIT, ask(&path)).await;
        let state = match state.unwrap_or(SocketState::Silent) {
            SocketState::Missing | SocketState::Stale if is_locked(&path) => SocketState::Locked,
            // A daemon that listens without a service manager holds the lock, so this socket belongs to a service
            // manager.
            SocketState::Missing if is_listened_at(&path) => SocketState::Unlinked,
            state => state,
        };
        looked.push((path, state));
    }
    looked
}

async fn ask(path: &Path) -> SocketState {
    match path.symlink_metadata() {
        Err(e) => return of(&e),
        Ok(meta) if !meta.file_type().is_socket() => return SocketState::NotASocket,
        Ok(_) => {}
    }
    let mut stream = match UnixStream::connect(path).await {
        Ok(stream) => stream,
        Err(e) => return of(&e),
    };
    let who = stream.peer_cred().ok();
    let who = who.map(|who| {
        let (uid, pid) = (who.uid(), who.pid().unwrap_or(0));
        match SystemdManager::of(pid) {
            Some(manager) => Listener::Service(manager),
            None => Listener::Process { uid, pid },
        }
    });
    let mut answer = [0; 12];
    let exchange = async {
        stream.write_all(b"GET /healthz HTTP/1.0\r\n\r\n").await?;
        stream.read_exact(&mut answer).await
    };
    match exchange.await {
        Ok(_) => match status(&answer) {
            Some(status) => SocketState::Answers(status, who),
            None => SocketState::Failed("what answers there is not jetond".to_owned()),
        },
        Err(e) => SocketState::Failed(e.to_string()),
    }
}

/// Whether a process holds the lock beside a socket. If none does, this briefly takes it, as a shared lock.
fn is_locked(path: &Path) -> bool {
    let mut lock = path.to_owned().into_os_string();
    lock.push(".lock");
    let flags = rustix::fs::OFlags::NOFOLLOW | rustix::fs::OFlags::NONBLOCK;
    let file = OpenOptions::new()
        .read(true)
        .custom_flags(flags.bits().cast_signed())
        .open(lock);
    file.is_ok_and(|file| matches!(FileLock::try_shared(file), Err(NotLocked::Held)))
}

/// Whether the kernel has a listening socket that was bound to this path (proc_net(5)), even if its file is gone.
fn is_listened_at(path: &Path) -> bool {
    let sockets = std::fs::read("/proc/net/unix").unwrap_or_default();
    lists(&String::from_utf8_lossy(&sockets), path)
}

/// Whether this text of the kernel has a socket that listens at the path. A line has the number, the reference count,
/// the protocol, the flags, the type, the state, the inode, and the path if there is one.
fn lists(sockets: &str, path: &Path) -> bool {
    /// The flag `__SO_ACCEPTCON`: the socket listens.
    const LISTENS: &str = "00010000";
    sockets.lines().any(|line| {
        let mut fields = line.splitn(7, ' ');
        let listens = fields.nth(3) == Some(LISTENS);
        // The inode may be padded.
        let rest = fields.nth(2).unwrap_or_default().trim_start();
        let at = rest.split_once(' ').map(|(_, at)| Path::new(at));
        listens && at == Some(path)
    })
}

/// Parses the status of an answer that begins with `HTTP/1.1 200`.
fn status(head: &[u8]) -> Option<u16> {
    let head = std::str::from_utf8(head).ok()?;
    head.strip_prefix("HTTP/1.")?.get(2..)?.trim().parse().ok()
}

fn of(error: &io::Error) -> SocketState {
    match error.kind() {
        ErrorKind::NotFound | ErrorKind::NotADirectory => SocketState::Missing,
        ErrorKind::ConnectionRefused => SocketState::Stale,
        ErrorKind::PermissionDenied => SocketState::Denied,
        _ => SocketState::Failed(error.to_string()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_an_http_response_counts_as_an_answer() {
        assert_eq!(status(b"HTTP/1.0 200"), Some(200));
        assert_eq!(status(b"HTTP/1.1 403"), Some(403));
        for bad in [&b"SSH-2.0-Open"[..], b"HTTP/1.1 ok!", b"\xff\xff"] {
            assert_eq!(status(bad), None);
        }
    }

    #[test]
    fn a_listening_socket_without_its_file_is_found_in_the_kernels_list() {
        let sockets = "Num       RefCount Protocol Flags    Type St Inode Path
0000000016c60cc1: 00000003 00000000 00000000 0001 03 122383343
00000000f69cdbd6: 00000002 00000000 00010000 0001 01 18231 /run/jeton/jeton.sock
00000000f69cdbd7: 00000002 00000000 00010000 0001 01   231 /run/a b/jeton.sock
00000000ceabb7e4: 00000003 00000000 00000000 0001 03 12238 /run/other.sock
00000000ceabb7e4: 00000003 00000000 00010000 0001 03
";
        for (path, listens) in [
            ("/run/jeton/jeton.sock", true),
            ("/run/a b/jeton.sock", true),
            // The socket is connected, or not listed.
            ("/run/other.sock", false),
            ("/run/jeton/jeton.soc", false),
            ("", false),
        ] {
            assert_eq!(lists(sockets, Path::new(path)), listens, "{path}");
        }
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("s");
        assert!(!is_listened_at(&path));
        let listener = std::os::unix::net::UnixListener::bind(&path).unwrap();
        std::fs::remove_file(&path).unwrap();
        assert_eq!(is_listened_at(&path), cfg!(target_os = "linux"));
        drop(listener);
        assert!(!is_listened_at(&path));
    }
}
