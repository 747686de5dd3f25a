//! System calls through the C library: on macOS, on other processors, and with the feature `companion-libc`.
//!
//! `libc/macos.rs` has the differences of macOS. Sources: POSIX.1-2017, the Linux and macOS headers.
#![expect(unsafe_code, reason = "calls the C library's functions")]

use core::ffi::{CStr, c_char, c_int, c_uint, c_ulong, c_void};

use super::abi::{Address, Arg, IGNORE, PollFd, SIGPIPE};
use super::errno::Errno;

#[path = "libc/last_error.rs"]
mod last_error;
#[cfg(not(target_os = "macos"))]
#[path = "libc/linux.rs"]
mod platform;
#[cfg(target_os = "macos")]
#[path = "libc/macos.rs"]
mod platform;

use last_error::{checked, last_error};
pub(crate) use platform::process;
#[cfg(target_os = "linux")]
pub(crate) use platform::statx;
use platform::{CLOCK_MONOTONIC, Count, MSG_NOSIGNAL, TIOCGWINSZ};
pub(super) use platform::{dup_above_stderr, peer, socket};
#[cfg(target_os = "linux")]
pub(super) use platform::{open_file, open_path};

#[link(name = "c")]
unsafe extern "C" {
    safe fn _exit(code: c_int) -> !;
    #[link_name = "read"]
    fn c_read(fd: c_int, room: *mut c_void, length: usize) -> isize;
    #[link_name = "write"]
    fn c_write(fd: c_int, bytes: *const c_void, length: usize) -> isize;
    #[link_name = "send"]
    fn c_send(fd: c_int, bytes: *const c_void, length: usize, flags: c_int) -> isize;
    #[link_name = "connect"]
    fn c_connect(fd: c_int, address: *const Address, length: c_uint) -> c_int;
    #[link_name = "close"]
    safe fn c_close(fd: c_int) -> c_int;
    #[link_name = "poll"]
    fn c_poll(fds: *mut PollFd, count: Count, ms: c_int) -> c_int;
    fn clock_gettime(clock: c_int, time: *mut [i64; 2]) -> c_int;
    fn ioctl(fd: c_int, request: c_ulong, ...) -> c_int;
    safe fn signal(number: c_int, handler: usize) -> usize;
    safe fn geteuid() -> c_uint;
    #[link_name = "getcwd"]
    fn c_getcwd(room: *mut c_char, length: usize) -> *mut c_char;
    #[link_name = "execve"]
    fn c_execve(
        file: *const c_char,
        argv: *const Option<Arg<'_>>,
        env: *const Option<Arg<'_>>,
    ) -> c_int;
}

pub(crate) fn exit(code: u8) -> ! {
    _exit(code.into())
}

pub(crate) fn read(fd: i32, room: &mut [u8]) -> Result<usize, Errno> {
    // SAFETY: writes into `room`, no more than its length.
    checked(unsafe { c_read(fd, room.as_mut_ptr().cast(), room.len()) })
}

pub(crate) fn write(fd: i32, bytes: &[u8]) -> Result<usize, Errno> {
    // SAFETY: reads `bytes`.
    checked(unsafe { c_write(fd, bytes.as_ptr().cast(), bytes.len()) })
}

pub(super) fn send(fd: i32, bytes: &[u8]) -> Result<usize, Errno> {
    // SAFETY: reads `bytes`.
    checked(unsafe { c_send(fd, bytes.as_ptr().cast(), bytes.len(), MSG_NOSIGNAL) })
}

pub(super) fn connect(fd: i32, address: &Address) -> Result<(), Errno> {
    // SAFETY: reads `address`, which has the layout of a sockaddr_un.
    checked(unsafe { c_connect(fd, address, size_of::<Address>() as c_uint) } as isize).map(drop)
}

pub(super) fn close(fd: i32) {
    // A failure has no remedy.
    let _ = c_close(fd);
}

/// Returns how many descriptors are ready. -1 ms means no timeout.
pub(crate) fn poll(fds: &mut [PollFd], ms: i32) -> Result<usize, Errno> {
    // SAFETY: reads and writes `fds`, whose elements have the layout of a pollfd. There are two at most.
    checked(unsafe { c_poll(fds.as_mut_ptr(), fds.len() as Count, ms) } as isize)
}

/// Like [`poll`] with a timeout, which it shortens by the time that has passed.
pub(crate) fn poll_within(fds: &mut [PollFd], ms: &mut u32) -> Result<usize, Errno> {
    let began = now_ms();
    let polled = poll(fds, i32::try_from(*ms).unwrap_or(i32::MAX));
    let passed = u32::try_from(now_ms() - began).unwrap_or(u32::MAX);
    *ms = ms.saturating_sub(passed);
    polled
}

/// Makes a write without a reader fail instead of ending the process.
pub(crate) fn ignore_broken_pipes() {
    // This cannot fail for this signal.
    let _ = signal(SIGPIPE, IGNORE);
}

/// Returns milliseconds of the monotonic clock.
pub(crate) fn now_ms() -> u64 {
    let mut time = [0; 2];
    // SAFETY: writes a timespec: seconds and nanoseconds, of 64 bits each on every 64-bit system. It cannot fail on
    // this clock.
    let _ = unsafe { clock_gettime(CLOCK_MONOTONIC, &raw mut time) };
    let [seconds, nanoseconds] = time.map(i64::unsigned_abs);
    seconds * 1000 + nanoseconds / 1_000_000
}

pub(super) fn window_size(fd: i32, size: &mut [u16; 4]) -> Result<(), Errno> {
    // SAFETY: writes a winsize: four numbers of 16 bits.
    checked(unsafe { ioctl(fd, TIOCGWINSZ, size.as_mut_ptr()) } as isize).map(drop)
}

pub(super) fn uid() -> u32 {
    geteuid()
}

pub(super) fn getcwd(room: &mut [u8]) -> Result<(), Errno> {
    // SAFETY: writes into `room`, no more than its length.
    let folder = unsafe { c_getcwd(room.as_mut_ptr().cast(), room.len()) };
    if folder.is_null() {
        Err(last_error())
    } else {
        Ok(())
    }
}

pub(super) fn execve(file: &CStr, argv: &[Option<Arg<'_>>], env: &[Option<Arg<'_>>]) -> Errno {
    // SAFETY: C strings, and two lists of C strings; the caller has checked that both end with a null pointer.
    let _ = unsafe { c_execve(file.as_ptr(), argv.as_ptr(), env.as_ptr()) };
    last_error()
}
