//! Numbers of Linux: the same on every processor that Rust supports on Linux, except MIPS, PowerPC and SPARC.

use core::ffi::{CStr, c_char, c_int, c_long, c_uint, c_ulong, c_void};

use super::super::errno::Errno;
use super::super::linux::{
    AT_FDCWD, O_CLOEXEC, O_PATH, O_RDONLY, SO_PEERCRED, SOL_SOCKET, STATX_BASIC_STATS, Statx, Ucred,
};
use super::last_error::checked;

/// `nfds_t`.
pub(super) type Count = c_ulong;

pub(super) const TIOCGWINSZ: c_ulong = 0x5413;
pub(super) const CLOCK_MONOTONIC: c_int = 1;
pub(super) const MSG_NOSIGNAL: c_int = 0x4000;
const SOCK_CLOEXEC: c_int = 0o2_000_000;
const SOCK_NONBLOCK: c_int = 0o4_000;
const F_DUPFD_CLOEXEC: c_int = 1030;
/// C libraries have no function for this call before glibc 2.36.
const PIDFD_OPEN: c_long = 434;

unsafe extern "C" {
    #[link_name = "socket"]
    safe fn c_socket(family: c_int, kind: c_int, protocol: c_int) -> c_int;
    fn fcntl(fd: c_int, command: c_int, ...) -> c_int;
    fn getsockopt(
        fd: c_int,
        level: c_int,
        name: c_int,
        value: *mut c_void,
        length: *mut c_uint,
    ) -> c_int;
    fn syscall(number: c_long, ...) -> c_long;
    fn openat(fd: c_int, path: *const c_char, flags: c_int, ...) -> c_int;
    #[link_name = "statx"]
    fn c_statx(
        fd: c_int,
        path: *const c_char,
        flags: c_int,
        mask: c_uint,
        statx: *mut Statx,
    ) -> c_int;
}

/// Opens a socket that is closed on exec and never blocks.
pub(crate) fn socket(family: i32, kind: i32) -> Result<i32, Errno> {
    checked(c_socket(family, kind | SOCK_CLOEXEC | SOCK_NONBLOCK, 0) as isize).map(|fd| fd as i32)
}

/// Duplicates a descriptor under a number above 2, closed on exec.
pub(crate) fn dup_above_stderr(fd: i32) -> Result<i32, Errno> {
    // SAFETY: no pointers.
    checked(unsafe { fcntl(fd, F_DUPFD_CLOEXEC, 3_i32) } as isize).map(|fd| fd as i32)
}

/// Opens a descriptor that becomes ready when the process ends.
pub(crate) fn process(pid: u32) -> Result<i32, Errno> {
    // SAFETY: no pointers.
    checked(unsafe { syscall(PIDFD_OPEN, pid, 0_u32) } as isize).map(|fd| fd as i32)
}

/// Returns the credentials of the process that called `listen` at the other end.
pub(crate) fn peer(fd: i32) -> Result<Ucred, Errno> {
    let mut ucred = Ucred::default();
    let mut length = size_of::<Ucred>() as c_uint;
    // SAFETY: writes into `ucred`, no more than `length`, and into `length`.
    let result = unsafe {
        getsockopt(
            fd,
            SOL_SOCKET,
            SO_PEERCRED,
            (&raw mut ucred).cast(),
            &raw mut length,
        )
    };
    checked(result as isize).map(|_| ucred)
}

/// Opens a path without any access: the descriptor only identifies it.
pub(crate) fn open_path(path: &CStr) -> Result<i32, Errno> {
    open(path, O_PATH | O_CLOEXEC)
}

/// Opens a file for reading.
pub(crate) fn open_file(path: &CStr) -> Result<i32, Errno> {
    open(path, O_RDONLY | O_CLOEXEC)
}

fn open(path: &CStr, flags: c_int) -> Result<i32, Errno> {
    // SAFETY: reads `path`, a C string. Nothing is created, so no mode is read.
    checked(unsafe { openat(AT_FDCWD, path.as_ptr(), flags) } as isize).map(|fd| fd as i32)
}

/// Returns the kernel's data about a path, relative to a descriptor.
pub(crate) fn statx(fd: i32, path: &CStr, flags: i32) -> Result<Statx, Errno> {
    let mut statx = Statx::new();
    // SAFETY: reads `path`, a C string, and writes a `struct statx`.
    let result = unsafe { c_statx(fd, path.as_ptr(), flags, STATX_BASIC_STATS, &raw mut statx) };
    checked(result as isize).map(|_| statx)
}
