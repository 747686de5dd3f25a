//! Standard output, standard error and the exit code.

use core::sync::atomic::{AtomicBool, Ordering};

use crate::sys::{self, Errno, errno};

/// There is no token, it was rejected, or the daemon has an internal fault.
pub(crate) const FAILED: u8 = 1;
/// EX_USAGE of sysexits.h, like the four codes below.
pub(crate) const USAGE: u8 = 64;
/// EX_UNAVAILABLE: no daemon is running.
pub(crate) const UNREACHABLE: u8 = 69;
/// EX_TEMPFAIL: a later attempt may succeed.
pub(crate) const TRY_AGAIN: u8 = 75;
/// EX_NOPERM: the request was refused.
pub(crate) const REFUSED: u8 = 77;
/// EX_CONFIG: the configuration does not allow the request.
pub(crate) const CONFIGURATION: u8 = 78;
/// The exit code that a shell reports for a program that SIGPIPE ended, so that a pipeline ends as with other programs.
/// The signal itself is ignored, so that the companion can still print an error.
const BROKEN_PIPE: u8 = 128 + 13;

/// An exit with this code, after every message has been printed.
#[derive(Debug)]
pub(crate) struct Exit(pub(crate) u8);

/// Writes to standard output. Any failure is reported with the system's message, since the output is lost.
pub(crate) fn stdout(bytes: &[u8]) -> Result<(), Exit> {
    write_all(1, bytes).map_err(lost)
}

/// Returns the exit for a standard output without a reader, even if there was nothing to write.
pub(crate) fn reader_gone() -> Exit {
    // `poll` reports a closed descriptor in the same way, but a write returns the exact error.
    lost(sys::write(1, b"").err().unwrap_or(errno::EPIPE))
}

#[cold]
fn lost(error: Errno) -> Exit {
    let code = if error == errno::EPIPE {
        BROKEN_PIPE
    } else {
        FAILED
    };
    complain_of(code, &[b"cannot write to standard output: "], error)
}

/// Works like [`complain`], with the system's message or number of an error at the end.
#[cold]
pub(crate) fn complain_of(code: u8, parts: &[&[u8]], error: Errno) -> Exit {
    let mut all: [&[u8]; 8] = [&[]; 8];
    let number = Decimal::new(error.0.unsigned_abs());
    let reason: [&[u8]; 2] = match error.word() {
        Some(word) => [word, b""],
        None => [b"error ", number.digits()],
    };
    let parts = parts.iter().chain(&reason);
    all.iter_mut().zip(parts).for_each(|(to, part)| *to = part);
    complain(code, &all)
}

/// Whether messages on standard error are suppressed.
static MUTE: AtomicBool = AtomicBool::new(false);

/// Suppresses messages on standard error, for an attempt that has a fallback.
pub(crate) fn set_mute(mute: bool) {
    MUTE.store(mute, Ordering::Relaxed);
}

/// Writes to standard error. A failure is ignored, since there is no other place to report it.
#[inline(never)]
pub(crate) fn stderr(bytes: &[u8]) {
    if !MUTE.load(Ordering::Relaxed) {
        let _ = write_all(2, bytes);
    }
}

/// Prints one line on standard error: `jeton: ` and the parts. Returns the exit with this code.
///
/// The parts may come from outside (paths, the daemon's text), so control characters are escaped: a terminal would act
/// on them.
#[cold]
#[inline(never)]
pub(crate) fn complain(code: u8, parts: &[&[u8]]) -> Exit {
    let mut line = Line::new();
    line.push(b"jeton: ");
    for part in parts {
        line.push_escaped(part);
    }
    line.push(b"\n");
    line.flush();
    Exit(code)
}

/// Writes everything, despite interruptions, short writes and a descriptor that another process set to non-blocking.
fn write_all(fd: i32, mut bytes: &[u8]) -> Result<(), Errno> {
    while !bytes.is_empty() {
        match sys::write(fd, bytes) {
            Ok(n) => bytes = bytes.get(n..).unwrap_or_default(),
            Err(errno::EINTR) => {}
            Err(errno::EAGAIN) => {
                let _ = sys::poll(&mut [sys::PollFd::new(fd, sys::POLLOUT)], -1);
            }
            Err(error) => return Err(error),
        }
    }
    Ok(())
}

/// A buffer for one line, so that the line reaches a shared log in one write.
pub(crate) struct Line {
    held: [u8; 512],
    used: usize,
}

impl Line {
    pub(crate) const fn new() -> Self {
        Self {
            held: [0; _],
            used: 0,
        }
    }

    #[inline(never)]
    pub(crate) fn push(&mut self, bytes: &[u8]) {
        for &byte in bytes {
            if self.used == self.held.len() {
                self.flush();
            }
            if let Some(slot) = self.held.get_mut(self.used) {
                *slot = byte;
                self.used += 1;
            }
        }
    }

    /// Appends bytes. Control characters of one byte and of two (U+0080 to U+009F), and invalid UTF-8, become `\x1b`
    /// and so on.
    #[inline(never)]
    pub(crate) fn push_escaped(&mut self, bytes: &[u8]) {
        for chunk in bytes.utf8_chunks() {
            for character in chunk.valid().chars() {
                if character.is_control() {
                    // Control characters are below U+00A0.
                    self.push_hex(character as u8);
                } else {
                    self.push(character.encode_utf8(&mut [0; 4]).as_bytes());
                }
            }
            for &byte in chunk.invalid() {
                self.push_hex(byte);
            }
        }
    }

    fn push_hex(&mut self, byte: u8) {
        let digit = |n: u8| if n < 10 { b'0' + n } else { b'a' + n - 10 };
        self.push(&[b'\\', b'x', digit(byte >> 4), digit(byte & 15)]);
    }

    pub(crate) fn flush(&mut self) {
        stderr(self.held.get(..self.used).unwrap_or_default());
        self.used = 0;
    }
}

/// A number formatted in decimal.
pub(crate) struct Decimal {
    held: [u8; 10],
    from: usize,
}

impl Decimal {
    #[inline(never)]
    pub(crate) fn new(mut number: u32) -> Self {
        let mut decimal = Self {
            held: [b'0'; 10],
            from: 10,
        };
        for (at, slot) in decimal.held.iter_mut().enumerate().rev() {
            *slot = b'0' + (number % 10) as u8;
            number /= 10;
            decimal.from = at;
            if number == 0 {
                break;
            }
        }
        decimal
    }

    pub(crate) fn digits(&self) -> &[u8] {
        self.held.get(self.from..).unwrap_or_default()
    }
}
