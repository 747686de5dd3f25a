//! Reads standard input, but only if the daemon asks for it.

use crate::deadline::Deadline;
use crate::output::{Exit, FAILED, USAGE, complain, complain_of};
use crate::sys::{self, errno};

/// The part of standard input to read.
#[derive(Clone, Copy)]
pub(crate) enum InputExtent {
    /// To its end.
    All,
    /// One line, with its newline.
    Line,
}

/// Fills `room` from standard input. Rejects input that does not fit instead of truncating it.
pub(crate) fn read<'a>(
    extent: InputExtent,
    room: &'a mut [u8],
    deadline: &Deadline,
) -> Result<&'a [u8], Exit> {
    let mut used = 0;
    loop {
        let free = room.get_mut(used..).unwrap_or_default();
        // A line is read byte by byte: the bytes after it in a pipe may be meant for the next reader.
        let free = match extent {
            InputExtent::All => free,
            InputExtent::Line => free.get_mut(..1).unwrap_or_default(),
        };
        if free.is_empty() {
            return Err(complain(USAGE, &[b"standard input is longer than 256 KiB"]));
        }
        deadline.wait(0, sys::POLLIN, false)?;
        let got = match sys::read(0, free) {
            Ok(got) => got,
            Err(errno::EINTR | errno::EAGAIN) => continue,
            Err(error) => {
                let what = [b"cannot read standard input: ".as_slice()];
                return Err(complain_of(FAILED, &what, error));
            }
        };
        let line_ends = matches!(extent, InputExtent::Line) && free.first() == Some(&b'\n');
        used += got;
        if got == 0 || line_ends {
            return Ok(room.get(..used).unwrap_or_default());
        }
    }
}
