//! Error numbers that the companion handles, and numbers with a message. Sources: Linux `asm-generic/errno.h`, macOS
//! `sys/errno.h`; the messages are those of `strerror`.

/// An error number from the kernel.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Errno(pub(crate) i32);

pub(crate) const EPERM: Errno = Errno(1);
pub(crate) const ENOENT: Errno = Errno(2);
pub(crate) const ESRCH: Errno = Errno(3);
pub(crate) const EINTR: Errno = Errno(4);
pub(crate) const E2BIG: Errno = Errno(7);
pub(crate) const ENOEXEC: Errno = Errno(8);
pub(crate) const EACCES: Errno = Errno(13);
pub(crate) const ENOTDIR: Errno = Errno(20);
pub(crate) const EPIPE: Errno = Errno(32);

const EIO: Errno = Errno(5);
const ENXIO: Errno = Errno(6);
const EBADF: Errno = Errno(9);
const EINVAL: Errno = Errno(22);
const EFBIG: Errno = Errno(27);
const ENOSPC: Errno = Errno(28);
const EROFS: Errno = Errno(30);

pub(crate) const EAGAIN: Errno = Errno(if MACOS { 35 } else { 11 });
pub(crate) const ECONNRESET: Errno = Errno(if MACOS { 54 } else { 104 });
pub(crate) const ECONNREFUSED: Errno = Errno(if MACOS { 61 } else { 111 });
const ETIMEDOUT: Errno = Errno(if MACOS { 60 } else { 110 });
#[cfg(target_os = "macos")]
pub(crate) const ENOSYS: Errno = Errno(78);
const EDQUOT: Errno = Errno(if MACOS { 69 } else { 122 });
const ESTALE: Errno = Errno(if MACOS { 70 } else { 116 });

const MACOS: bool = cfg!(target_os = "macos");

/// Messages for the errors of a write to a file, a terminal, a pipe or a network file system.
const WORDS: [(Errno, &[u8]); 15] = [
    (EPERM, b"Operation not permitted"),
    (EIO, b"Input/output error"),
    (ENXIO, b"No such device or address"),
    (EBADF, b"Bad file descriptor"),
    (EACCES, b"Permission denied"),
    (EINVAL, b"Invalid argument"),
    (EFBIG, b"File too large"),
    (ENOSPC, b"No space left on device"),
    (EROFS, b"Read-only file system"),
    (EPIPE, b"Broken pipe"),
    (ECONNRESET, b"Connection reset by peer"),
    (ETIMEDOUT, b"Connection timed out"),
    (EDQUOT, b"Disk quota exceeded"),
    (ESTALE, b"Stale file handle"),
    (E2BIG, b"Argument list too long"),
];

impl Errno {
    /// Returns the system's message for the error, if it is in the table.
    pub(crate) fn word(self) -> Option<&'static [u8]> {
        let found = WORDS.iter().find(|(error, _)| *error == self);
        found.map(|(_, word)| *word)
    }
}
