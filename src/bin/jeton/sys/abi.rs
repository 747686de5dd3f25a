//! Numbers and layouts of the kernel and the C library.

use core::ffi::{CStr, c_char};
use core::marker::PhantomData;
use core::ptr::NonNull;

use crate::bytes::join;

/// SIGPIPE has the same number on every system.
pub(super) const SIGPIPE: i32 = 13;
/// SIG_IGN as a number; the same on every system.
pub(super) const IGNORE: usize = 1;

/// `poll` for reading. This number and the next are the same on every system.
pub(crate) const POLLIN: i16 = 1;
/// `poll` for writing.
pub(crate) const POLLOUT: i16 = 4;

/// `struct pollfd`.
#[repr(C)]
pub(crate) struct PollFd {
    fd: i32,
    events: i16,
    revents: i16,
}

impl PollFd {
    pub(crate) const fn new(fd: i32, events: i16) -> Self {
        Self {
            fd,
            events,
            revents: 0,
        }
    }

    /// Reports whether an event was reported, including an error.
    pub(crate) const fn is_ready(&self) -> bool {
        self.revents != 0
    }
}

/// A C string of argv or of the environment. `Option<Arg>` is a nullable pointer, so a slice of them is an `argv`.
#[derive(Clone, Copy)]
#[repr(transparent)]
pub(crate) struct Arg<'a> {
    text: NonNull<c_char>,
    borrowed: PhantomData<&'a CStr>,
}

impl<'a> Arg<'a> {
    pub(crate) const fn new(text: &'a CStr) -> Self {
        Self {
            text: NonNull::from_ref(text).cast(),
            borrowed: PhantomData,
        }
    }

    #[expect(
        unsafe_code,
        reason = "the kernel hands over argv and the environment as pointers to C strings"
    )]
    pub(crate) fn bytes(self) -> &'a [u8] {
        // SAFETY: made from a `CStr` that lives for 'a, or by the kernel, whose strings end with a zero byte and live
        // as long as the process.
        unsafe { CStr::from_ptr(self.text.as_ptr()) }.to_bytes()
    }

    /// Returns the first byte; 0 if the string is empty.
    #[expect(unsafe_code, reason = "reads a C string without its length")]
    pub(crate) fn first(self) -> u8 {
        // SAFETY: a C string has at least its closing zero.
        unsafe { self.text.cast().read() }
    }

    /// Returns the rest after a prefix. Reads no further than the first difference, and so does not need the length.
    #[expect(unsafe_code, reason = "reads a C string byte by byte")]
    #[inline(never)]
    pub(crate) fn strip_prefix(self, prefix: &[u8]) -> Option<Self> {
        let mut text = self.text;
        for &byte in prefix {
            // SAFETY: all bytes before this one were equal to bytes of the prefix other than zero, so the string
            // reaches at least to this one.
            if byte == 0 || unsafe { text.cast::<u8>().read() } != byte {
                return None;
            }
            // SAFETY: the byte before was not the closing zero.
            text = unsafe { text.add(1) };
        }
        Some(Self { text, ..self })
    }
}

/// `struct sockaddr_un`.
#[repr(C)]
pub(crate) struct Address {
    /// The address family; on macOS preceded by the length, one byte each.
    family: [u8; 2],
    path: [u8; SUN_PATH],
}

const SUN_PATH: usize = if cfg!(target_os = "macos") { 104 } else { 108 };

/// These two numbers are the same on every system.
pub(super) const AF_UNIX: u8 = 1;
pub(super) const SOCK_STREAM: i32 = 1;

impl Address {
    /// The longest path in bytes; one more byte is for the closing zero.
    pub(crate) const LONGEST: usize = SUN_PATH - 1;

    /// Joins the parts; `None` if the path is too long.
    pub(crate) fn new(parts: &[&[u8]]) -> Option<Self> {
        let family = if cfg!(target_os = "macos") {
            [size_of::<Self>() as u8, AF_UNIX]
        } else {
            u16::from(AF_UNIX).to_ne_bytes()
        };
        let mut path = [0; SUN_PATH];
        join(path.get_mut(..Self::LONGEST)?, parts)?;
        Some(Self { family, path })
    }
}
