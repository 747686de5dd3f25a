//! The companion's interface to the operating system: small and safe, over raw system calls or over libc.

use core::ffi::CStr;
use core::sync::atomic::{AtomicU32, Ordering};

mod abi;
pub(crate) mod errno;
mod large;
#[cfg(target_os = "linux")]
pub(crate) mod linux;

#[cfg(all(
    target_arch = "x86_64",
    target_os = "linux",
    not(feature = "companion-libc")
))]
#[path = "sys/linux_x86_64.rs"]
mod os;
#[cfg(not(all(
    target_arch = "x86_64",
    target_os = "linux",
    not(feature = "companion-libc")
)))]
#[path = "sys/libc.rs"]
mod os;

#[cfg(all(
    target_arch = "x86_64",
    target_os = "linux",
    not(feature = "companion-libc")
))]
#[path = "sys/memory.rs"]
mod memory;

pub(crate) use abi::{Address, Arg, POLLIN, POLLOUT, PollFd};
pub(crate) use errno::Errno;
pub(crate) use large::{BufferGuard, StaticBuffer};
#[cfg(target_os = "linux")]
pub(crate) use os::statx;
pub(crate) use os::{exit, ignore_broken_pipes, now_ms, poll, poll_within, process, read, write};

use abi::{AF_UNIX, SOCK_STREAM};

/// The environment, as strings `NAME=VALUE`.
#[derive(Clone, Copy)]
pub(crate) struct Env<'a>(&'a [Option<Arg<'a>>]);

impl<'a> Env<'a> {
    pub(crate) const fn new(variables: &'a [Option<Arg<'a>>]) -> Self {
        Self(variables)
    }

    /// Returns the value of a variable; an empty one counts as absent.
    pub(crate) fn get(self, name: &[u8]) -> Option<&'a [u8]> {
        self.get_even_empty(name).filter(|value| !value.is_empty())
    }

    #[inline(never)]
    pub(crate) fn get_even_empty(self, name: &[u8]) -> Option<&'a [u8]> {
        self.args().find_map(|variable| {
            let value = variable.strip_prefix(name)?.strip_prefix(b"=")?;
            Some(value.bytes())
        })
    }

    pub(crate) fn args(self) -> impl Iterator<Item = Arg<'a>> {
        self.0.iter().copied().flatten()
    }
}

/// No user has this ID.
const UNKNOWN: u32 = u32::MAX;

/// The effective user, once it is known.
static UID: AtomicU32 = AtomicU32::new(UNKNOWN);

/// Notes the effective user that the kernel has passed to the program.
#[cfg(all(
    target_arch = "x86_64",
    target_os = "linux",
    not(feature = "companion-libc")
))]
pub(crate) fn note_uid(uid: u32) {
    UID.store(uid, Ordering::Relaxed);
}

/// Returns the effective user. The system is queried at most once.
#[inline(never)]
pub(crate) fn uid() -> u32 {
    match UID.load(Ordering::Relaxed) {
        UNKNOWN => {
            let uid = os::uid();
            UID.store(uid, Ordering::Relaxed);
            uid
        }
        uid => uid,
    }
}

/// Returns the width of the terminal behind a descriptor, 0 if the terminal does not report it; `None` if it is not a
/// terminal.
pub(crate) fn columns(fd: i32) -> Option<u16> {
    // `struct winsize`: rows, columns, and the size in pixels.
    let mut size = [0_u16; 4];
    os::window_size(fd, &mut size).ok().map(|()| size[1])
}

/// Returns the absolute path of the current folder.
pub(crate) fn cwd(room: &mut [u8]) -> Option<&[u8]> {
    os::getcwd(room).ok()?;
    let folder = room.split(|&byte| byte == 0).next()?;
    // For a folder outside of our root, Linux returns a path that begins with "(unreachable)".
    folder.starts_with(b"/").then_some(folder)
}

/// Replaces the process. Returns only on failure.
pub(crate) fn execve(file: &CStr, argv: &[Option<Arg<'_>>], env: &[Option<Arg<'_>>]) -> Errno {
    match (argv.last(), env.last()) {
        (Some(None), Some(None)) => os::execve(file, argv, env),
        // The kernel reads up to the null pointer.
        _ => errno::E2BIG,
    }
}

/// A connection that never blocks; its user waits with a deadline.
pub(crate) struct Stream(i32);

impl Stream {
    pub(crate) fn open() -> Result<Self, Errno> {
        let low = Self(os::socket(AF_UNIX.into(), SOCK_STREAM)?);
        // If the companion was started with standard output closed, the socket must not get its number: output would be
        // sent to the socket.
        if low.0 > 2 {
            Ok(low)
        } else {
            os::dup_above_stderr(low.0).map(Self)
        }
    }

    pub(crate) fn connect(&self, address: &Address) -> Result<(), Errno> {
        os::connect(self.0, address)
    }

    /// Returns the effective user of the process that called `listen` at the other end.
    pub(crate) fn peer(&self) -> Result<u32, Errno> {
        os::peer(self.0).map(|peer| peer.uid)
    }

    pub(crate) fn send(&self, bytes: &[u8]) -> Result<usize, Errno> {
        os::send(self.0, bytes)
    }

    pub(crate) fn receive(&self, room: &mut [u8]) -> Result<usize, Errno> {
        os::read(self.0, room)
    }

    pub(crate) fn fd(&self) -> i32 {
        self.0
    }
}

impl Drop for Stream {
    fn drop(&mut self) {
        os::close(self.0);
    }
}

/// A descriptor of a file or a folder.
#[cfg(target_os = "linux")]
pub(crate) struct File(i32);

#[cfg(target_os = "linux")]
impl File {
    /// Opens a descriptor that pins the present target of a path: later changes to the path do not affect it.
    pub(crate) fn pin(path: &CStr) -> Result<Self, Errno> {
        os::open_path(path).map(Self)
    }

    pub(crate) fn open(path: &CStr) -> Result<Self, Errno> {
        os::open_file(path).map(Self)
    }

    pub(crate) fn fd(&self) -> i32 {
        self.0
    }
}

#[cfg(target_os = "linux")]
impl Drop for File {
    fn drop(&mut self) {
        os::close(self.0);
    }
}
