//! Numbers of macOS, and functions that need further calls there.

use core::ffi::{c_int, c_uint, c_ulong, c_void};

use super::super::errno::{ENOSYS, Errno};
use super::last_error::checked;

/// `nfds_t`.
pub(super) type Count = c_uint;

pub(super) const TIOCGWINSZ: c_ulong = 0x4008_7468;
pub(super) const CLOCK_MONOTONIC: c_int = 6;
/// macOS has no such flag; an option of the socket replaces it.
pub(super) const MSG_NOSIGNAL: c_int = 0;
const F_SETFD: c_int = 2;
const FD_CLOEXEC: c_int = 1;
const F_SETFL: c_int = 4;
const O_NONBLOCK: c_int = 4;
const F_DUPFD_CLOEXEC: c_int = 67;
const SOL_SOCKET: c_int = 0xffff;
const SO_NOSIGPIPE: c_int = 0x1022;

unsafe extern "C" {
    #[link_name = "socket"]
    safe fn c_socket(family: c_int, kind: c_int, protocol: c_int) -> c_int;
    #[link_name = "close"]
    safe fn c_close(fd: c_int) -> c_int;
    fn setsockopt(
        fd: c_int,
        level: c_int,
        name: c_int,
        value: *const c_void,
        length: c_uint,
    ) -> c_int;
    fn fcntl(fd: c_int, command: c_int, ...) -> c_int;
    fn getpeereid(fd: c_int, uid: *mut c_uint, gid: *mut c_uint) -> c_int;
}

/// Fails: macOS has no descriptors of processes.
pub(crate) fn process(_: u32) -> Result<i32, Errno> {
    Err(ENOSYS)
}

/// The credentials of a process.
pub(crate) struct Ucred {
    pub(crate) uid: u32,
}

/// Opens a socket that is closed on exec, never blocks and raises no SIGPIPE.
pub(crate) fn socket(family: i32, kind: i32) -> Result<i32, Errno> {
    let fd = checked(c_socket(family, kind, 0) as isize).map(|fd| fd as i32)?;
    let on: c_int = 1;
    // SAFETY: no pointers except one to a number, whose size is given.
    let results = unsafe {
        [
            fcntl(fd, F_SETFD, FD_CLOEXEC),
            fcntl(fd, F_SETFL, O_NONBLOCK),
            setsockopt(
                fd,
                SOL_SOCKET,
                SO_NOSIGPIPE,
                (&raw const on).cast(),
                size_of::<c_int>() as c_uint,
            ),
        ]
    };
    match results
        .into_iter()
        .try_for_each(|result| checked(result as isize).map(drop))
    {
        Ok(()) => Ok(fd),
        Err(error) => {
            let _ = c_close(fd);
            Err(error)
        }
    }
}

/// Duplicates a descriptor under a number above 2, closed on exec.
pub(crate) fn dup_above_stderr(fd: i32) -> Result<i32, Errno> {
    // SAFETY: no pointers.
    checked(unsafe { fcntl(fd, F_DUPFD_CLOEXEC, 3 as c_int) } as isize).map(|fd| fd as i32)
}

/// Returns the credentials of the process that called `listen` at the other end.
pub(crate) fn peer(fd: i32) -> Result<Ucred, Errno> {
    let (mut uid, mut gid) = (0, 0);
    // SAFETY: writes two numbers.
    checked(unsafe { getpeereid(fd, &raw mut uid, &raw mut gid) } as isize).map(|_| Ucred { uid })
}
