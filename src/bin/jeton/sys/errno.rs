//! The error numbers that decide something. Sources: Linux `asm-generic/errno.h`, macOS `sys/errno.h`.

use super::Errno;

pub(crate) const EPERM: Errno = Errno(1);
pub(crate) const ENOENT: Errno = Errno(2);
pub(crate) const EINTR: Errno = Errno(4);
pub(crate) const E2BIG: Errno = Errno(7);
pub(crate) const ENOEXEC: Errno = Errno(8);
pub(crate) const EACCES: Errno = Errno(13);
pub(crate) const ENOTDIR: Errno = Errno(20);
pub(crate) const EPIPE: Errno = Errno(32);

pub(crate) const EAGAIN: Errno = Errno(if MACOS { 35 } else { 11 });
pub(crate) const ECONNRESET: Errno = Errno(if MACOS { 54 } else { 104 });
pub(crate) const ECONNREFUSED: Errno = Errno(if MACOS { 61 } else { 111 });

const MACOS: bool = cfg!(target_os = "macos");
