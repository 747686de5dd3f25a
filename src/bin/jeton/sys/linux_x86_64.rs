//! System calls without a C library. Sources: the x86-64 System V ABI (3.4.1, A.2.1), Linux `syscall_64.tbl` and
//! `asm-generic`.
#![expect(unsafe_code, reason = "contains the system call instruction")]

use core::arch::asm;
use core::ffi::CStr;

use super::abi::{Address, Arg, IGNORE, PollFd, SIGPIPE};
use super::errno::Errno;
use super::linux::{
    AT_FDCWD, O_CLOEXEC, O_PATH, O_RDONLY, SO_PEERCRED, SOL_SOCKET, STATX_BASIC_STATS, Statx, Ucred,
};

const READ: usize = 0;
const WRITE: usize = 1;
const CLOSE: usize = 3;
const POLL: usize = 7;
const RT_SIGACTION: usize = 13;
const IOCTL: usize = 16;
const SOCKET: usize = 41;
const CONNECT: usize = 42;
const SENDTO: usize = 44;
const GETSOCKOPT: usize = 55;
const EXECVE: usize = 59;
const FCNTL: usize = 72;
const GETCWD: usize = 79;
const GETEUID: usize = 107;
const CLOCK_GETTIME: usize = 228;
const EXIT_GROUP: usize = 231;
const OPENAT: usize = 257;
const STATX: usize = 332;
const PPOLL: usize = 271;
const PIDFD_OPEN: usize = 434;

const TIOCGWINSZ: usize = 0x5413;
const CLOCK_MONOTONIC: usize = 1;
const SOCK_CLOEXEC: i32 = 0o2_000_000;
const SOCK_NONBLOCK: i32 = 0o4_000;
const MSG_NOSIGNAL: usize = 0x4000;
const F_DUPFD_CLOEXEC: usize = 1030;

/// # Safety
/// The arguments are those that the system call takes; every pointer among them is valid for the access that the kernel
/// makes.
unsafe fn call(number: usize, arguments: [usize; 4]) -> Result<usize, Errno> {
    let [a, b, c, d] = arguments;
    // SAFETY: the caller's contract. The fifth and sixth arguments are those of sendto: no address.
    unsafe { call_with_five(number, [a, b, c, d, 0]) }
}

/// # Safety
/// As [`call`].
unsafe fn call_with_five(number: usize, arguments: [usize; 5]) -> Result<usize, Errno> {
    let [a, b, c, d, e] = arguments;
    let result: isize;
    // SAFETY: the caller's contract. The kernel clobbers only rcx and r11.
    unsafe {
        asm!("syscall", inlateout("rax") number => result, in("rdi") a, in("rsi") b, in("rdx") c, in("r10") d, in("r8") e, in("r9") 0,
             lateout("rcx") _, lateout("r11") _, options(nostack));
    }
    // The kernel returns an error as its negated number, which lies in the last page of the address space.
    usize::try_from(result).map_err(|_| Errno(-result as i32))
}

/// Converts a descriptor to an argument; a negative one stays negative.
fn arg(fd: i32) -> usize {
    fd as isize as usize
}

pub(crate) fn exit(code: u8) -> ! {
    loop {
        // SAFETY: no pointers. It does not return.
        let _ = unsafe { call(EXIT_GROUP, [code.into(), 0, 0, 0]) };
    }
}

pub(crate) fn read(fd: i32, room: &mut [u8]) -> Result<usize, Errno> {
    // SAFETY: the kernel writes into `room`, no more than its length.
    unsafe { call(READ, [arg(fd), room.as_mut_ptr() as usize, room.len(), 0]) }
}

pub(crate) fn write(fd: i32, bytes: &[u8]) -> Result<usize, Errno> {
    // SAFETY: the kernel reads `bytes`.
    unsafe { call(WRITE, [arg(fd), bytes.as_ptr() as usize, bytes.len(), 0]) }
}

pub(super) fn send(fd: i32, bytes: &[u8]) -> Result<usize, Errno> {
    // SAFETY: the kernel reads `bytes`; there is no address.
    unsafe {
        call(
            SENDTO,
            [arg(fd), bytes.as_ptr() as usize, bytes.len(), MSG_NOSIGNAL],
        )
    }
}

pub(super) fn socket(family: i32, kind: i32) -> Result<i32, Errno> {
    // SAFETY: no pointers.
    unsafe {
        call(
            SOCKET,
            [arg(family), arg(kind | SOCK_CLOEXEC | SOCK_NONBLOCK), 0, 0],
        )
    }
    .map(|fd| fd as i32)
}

pub(super) fn dup_above_stderr(fd: i32) -> Result<i32, Errno> {
    // SAFETY: no pointers.
    unsafe { call(FCNTL, [arg(fd), F_DUPFD_CLOEXEC, 3, 0]) }.map(|fd| fd as i32)
}

pub(super) fn connect(fd: i32, address: &Address) -> Result<(), Errno> {
    // SAFETY: the kernel reads `address`, which has the layout of a sockaddr_un.
    unsafe {
        call(
            CONNECT,
            [
                arg(fd),
                core::ptr::from_ref(address) as usize,
                size_of::<Address>(),
                0,
            ],
        )
    }
    .map(drop)
}

pub(super) fn close(fd: i32) {
    // SAFETY: no pointers. A failure has no remedy.
    let _ = unsafe { call(CLOSE, [arg(fd), 0, 0, 0]) };
}

/// Opens a descriptor that becomes ready when the process ends.
pub(crate) fn process(pid: u32) -> Result<i32, Errno> {
    // SAFETY: no pointers.
    unsafe { call(PIDFD_OPEN, [pid as usize, 0, 0, 0]) }.map(|fd| fd as i32)
}

/// Returns how many descriptors are ready. -1 ms means no timeout.
pub(crate) fn poll(fds: &mut [PollFd], ms: i32) -> Result<usize, Errno> {
    // SAFETY: the kernel reads and writes `fds`, whose elements have the layout of a pollfd.
    unsafe { call(POLL, [fds.as_mut_ptr() as usize, fds.len(), arg(ms), 0]) }
}

/// Like [`poll`] with a timeout, which it shortens by the time that has passed: the kernel tells it, so that no clock has
/// to be read.
pub(crate) fn poll_within(fds: &mut [PollFd], ms: &mut u32) -> Result<usize, Errno> {
    let mut left = [u64::from(*ms / 1000), u64::from(*ms % 1000) * 1_000_000];
    // SAFETY: as for `poll`; the kernel reads and writes `left`, a timespec, and there is no signal mask.
    let polled = unsafe {
        call_with_five(
            PPOLL,
            [
                fds.as_mut_ptr() as usize,
                fds.len(),
                left.as_mut_ptr() as usize,
                0,
                size_of::<u64>(),
            ],
        )
    };
    let [seconds, nanoseconds] = left;
    *ms = (*ms).min(seconds as u32 * 1000 + (nanoseconds / 1_000_000) as u32);
    polled
}

/// Makes a write without a reader fail instead of ending the process.
pub(crate) fn ignore_broken_pipes() {
    // The kernel's `struct sigaction`: handler, flags, restorer, mask.
    let action = [IGNORE, 0, 0, 0];
    // SAFETY: the kernel reads `action`; an ignored signal runs no code. It cannot fail for this signal.
    let _ = unsafe {
        call(
            RT_SIGACTION,
            [arg(SIGPIPE), action.as_ptr() as usize, 0, size_of::<u64>()],
        )
    };
}

/// Returns milliseconds of the monotonic clock.
pub(crate) fn now_ms() -> u64 {
    let mut time = [0_u64; 2];
    // SAFETY: the kernel writes a timespec: seconds and nanoseconds of 64 bits each. It cannot fail on this clock.
    let _ = unsafe {
        call(
            CLOCK_GETTIME,
            [CLOCK_MONOTONIC, time.as_mut_ptr() as usize, 0, 0],
        )
    };
    let [seconds, nanoseconds] = time;
    seconds * 1000 + nanoseconds / 1_000_000
}

pub(super) fn window_size(fd: i32, size: &mut [u16; 4]) -> Result<(), Errno> {
    // SAFETY: the kernel writes a winsize: four numbers of 16 bits.
    unsafe { call(IOCTL, [arg(fd), TIOCGWINSZ, size.as_mut_ptr() as usize, 0]) }.map(drop)
}

pub(super) fn uid() -> u32 {
    // SAFETY: no pointers. It cannot fail.
    unsafe { call(GETEUID, [0; 4]) }.map_or(u32::MAX, |uid| uid as u32)
}

/// Returns the credentials of the process that called `listen` at the other end.
pub(super) fn peer(fd: i32) -> Result<Ucred, Errno> {
    let mut ucred = Ucred::default();
    let mut length = size_of::<Ucred>() as u32;
    // SAFETY: the kernel writes into `ucred`, no more than `length`, and into `length`.
    unsafe {
        call_with_five(
            GETSOCKOPT,
            [
                arg(fd),
                SOL_SOCKET as usize,
                SO_PEERCRED as usize,
                &raw mut ucred as usize,
                &raw mut length as usize,
            ],
        )
    }
    .map(|_| ucred)
}

/// Opens a path without any access: the descriptor only identifies it.
pub(super) fn open_path(path: &CStr) -> Result<i32, Errno> {
    open(path, O_PATH | O_CLOEXEC)
}

/// Opens a file for reading.
pub(super) fn open_file(path: &CStr) -> Result<i32, Errno> {
    open(path, O_RDONLY | O_CLOEXEC)
}

fn open(path: &CStr, flags: i32) -> Result<i32, Errno> {
    // SAFETY: the kernel reads `path`, a C string. Nothing is created, so no mode is read.
    unsafe {
        call(
            OPENAT,
            [arg(AT_FDCWD), path.as_ptr() as usize, flags as usize, 0],
        )
    }
    .map(|fd| fd as i32)
}

/// Returns the kernel's data about a path, relative to a descriptor.
pub(crate) fn statx(fd: i32, path: &CStr, flags: i32) -> Result<Statx, Errno> {
    let mut statx = Statx::new();
    // SAFETY: the kernel reads `path`, a C string, and writes a `struct statx`.
    unsafe {
        call_with_five(
            STATX,
            [
                arg(fd),
                path.as_ptr() as usize,
                flags as usize,
                STATX_BASIC_STATS as usize,
                &raw mut statx as usize,
            ],
        )
    }
    .map(|_| statx)
}

pub(super) fn getcwd(room: &mut [u8]) -> Result<(), Errno> {
    // SAFETY: the kernel writes into `room`, no more than its length.
    unsafe { call(GETCWD, [room.as_mut_ptr() as usize, room.len(), 0, 0]) }.map(drop)
}

pub(super) fn execve(file: &CStr, argv: &[Option<Arg<'_>>], env: &[Option<Arg<'_>>]) -> Errno {
    // SAFETY: C strings, and two lists of C strings; the caller has checked that both end with a null pointer.
    match unsafe {
        call(
            EXECVE,
            [
                file.as_ptr() as usize,
                argv.as_ptr() as usize,
                env.as_ptr() as usize,
                0,
            ],
        )
    } {
        Ok(_) => Errno(0),
        Err(error) => error,
    }
}
