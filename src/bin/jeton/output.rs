//! Standard output, standard error and the exit code.

use core::sync::atomic::{AtomicBool, Ordering};

use crate::sys::{self, Errno, errno};

/// No token, rejected, or a fault of our own (the daemon's `internal`).
pub(crate) const FAILED: u8 = 1;
/// EX_USAGE of sysexits.h, as the four below.
pub(crate) const USAGE: u8 = 64;
/// EX_UNAVAILABLE: the daemon is not there.
pub(crate) const UNREACHABLE: u8 = 69;
/// EX_TEMPFAIL: try again later.
pub(crate) const TRY_AGAIN: u8 = 75;
/// EX_NOPERM: refused.
pub(crate) const REFUSED: u8 = 77;
/// EX_CONFIG: the configuration does not allow it.
pub(crate) const CONFIGURATION: u8 = 78;
/// As a shell reports a program that SIGPIPE ended, so that a pipeline ends as it does with other programs. The signal itself is
/// ignored, or nothing could be told.
const BROKEN_PIPE: u8 = 128 + 13;

/// The program is over, with this code; what had to be said has been said.
#[derive(Debug)]
pub(crate) struct Exit(pub(crate) u8);

/// Writes to standard output. A failure is told with the system's word, whatever it is: what was asked for is lost.
pub(crate) fn stdout(bytes: &[u8]) -> Result<(), Exit> {
    write_all(1, bytes).map_err(lost)
}

/// The end of a program whose standard output has no reader any more, although there was nothing to write.
pub(crate) fn reader_gone() -> Exit {
    // A closed descriptor looks the same to `poll`, and has another reason.
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

/// As [`complain`], with the system's word for an error, or its number, at the end.
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

/// Whether nothing is written to standard error.
static MUTE: AtomicBool = AtomicBool::new(false);

/// Whether the next words for standard error are dropped: those of an attempt whose failure has another answer.
pub(crate) fn set_mute(mute: bool) {
    MUTE.store(mute, Ordering::Relaxed);
}

/// Writes to standard error. Where that fails there is nobody left to tell.
pub(crate) fn stderr(bytes: &[u8]) {
    if !MUTE.load(Ordering::Relaxed) {
        let _ = write_all(2, bytes);
    }
}

/// One line, `jeton: ` and the parts, on standard error; then the exit code to leave with.
///
/// The parts may come from outside (paths, the daemon's text), so control characters are shown instead of obeyed by a terminal.
#[cold]
#[inline(never)]
pub(crate) fn complain(code: u8, parts: &[&[u8]]) -> Exit {
    let mut line = Line {
        held: [0; 512],
        used: 0,
    };
    line.push(b"jeton: ");
    for part in parts {
        line.push_escaped(part);
    }
    line.push(b"\n");
    line.flush();
    Exit(code)
}

/// Everything, through interruptions, short writes and a descriptor that somebody set to non-blocking.
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

/// Collects a line so that it reaches a shared log in one write.
struct Line {
    held: [u8; 512],
    used: usize,
}

impl Line {
    #[inline(never)]
    fn push(&mut self, bytes: &[u8]) {
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

    /// Control characters, of one byte and of two (U+0080 to U+009F), and what is not UTF-8, as `\x1b`.
    fn push_escaped(&mut self, bytes: &[u8]) {
        for chunk in bytes.utf8_chunks() {
            for character in chunk.valid().chars() {
                if character.is_control() {
                    // A control character is below U+00A0.
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

    fn flush(&mut self) {
        stderr(self.held.get(..self.used).unwrap_or_default());
        self.used = 0;
    }
}

/// A number as decimal digits.
pub(crate) struct Decimal {
    held: [u8; 10],
    from: usize,
}

impl Decimal {
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
