//! Connects to one address.

use crate::deadline::{Deadline, sys_failed};
use crate::output::Exit;
use crate::sys::{Address, Errno, Stream, errno};

/// The pause while the daemon's queue of connections is full, in milliseconds.
const QUEUE_FULL_MS: i32 = 10;

/// Connects, despite interruptions and a full queue.
#[inline(never)]
pub(super) fn dial(address: &Address, deadline: &Deadline) -> Result<Result<Stream, Errno>, Exit> {
    loop {
        let stream = Stream::open().map_err(|error| sys_failed(b"socket", error))?;
        match stream.connect(address) {
            Ok(()) => return Ok(Ok(stream)),
            Err(errno::EINTR) => {}
            // The daemon runs, but its queue of connections is full.
            Err(errno::EAGAIN) => deadline.pause(QUEUE_FULL_MS)?,
            Err(error) => return Ok(Err(error)),
        }
    }
}
