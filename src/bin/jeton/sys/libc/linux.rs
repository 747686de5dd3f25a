//! The numbers of Linux: the same on every processor that Rust supports on Linux, except MIPS, PowerPC and SPARC.

use core::ffi::{c_int, c_ulong};

use super::super::errno::Errno;
use super::last_error::checked;

/// `nfds_t`.
pub(super) type Count = c_ulong;

pub(super) const TIOCGWINSZ: c_ulong = 0x5413;
pub(super) const CLOCK_MONOTONIC: c_int = 1;
pub(super) const MSG_NOSIGNAL: c_int = 0x4000;
const SOCK_CLOEXEC: c_int = 0o2_000_000;
const SOCK_NONBLOCK: c_int = 0o4_000;
const F_DUPFD_CLOEXEC: c_int = 1030;

unsafe extern "C" {
    #[link_name = "socket"]
    safe fn c_socket(family: c_int, kind: c_int, protocol: c_int) -> c_int;
    fn fcntl(fd: c_int, command: c_int, ...) -> c_int;
}

/// Opens a socket that is closed on exec and does not block.
pub(crate) fn socket(family: i32, kind: i32) -> Result<i32, Errno> {
    checked(c_socket(family, kind | SOCK_CLOEXEC | SOCK_NONBLOCK, 0) as isize).map(|fd| fd as i32)
}

/// Duplicates a descriptor under a number above 2, closed on exec.
pub(crate) fn dup_above_stderr(fd: i32) -> Result<i32, Errno> {
    // SAFETY: no pointers.
    checked(unsafe { fcntl(fd, F_DUPFD_CLOEXEC, 3_i32) } as isize).map(|fd| fd as i32)
}
