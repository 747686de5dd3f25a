//! Ends of sockets and pipes that are certainly closed. Between its fork and its exec, a child of another test has a
//! copy of each descriptor. So an end that this process has closed may still be read, or still accept.

use std::os::fd::{AsFd, OwnedFd};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::net::{Shutdown, shutdown};
use rustix::pipe::{PipeFlags, pipe_with};

use super::daemon::wait_until;

/// Shuts a socket down for all copies of its descriptor: it no longer receives or accepts.
pub(crate) fn shut_down(socket: impl AsFd) {
    shutdown(socket, Shutdown::Both).unwrap();
}

/// Returns the writing end of a pipe that no process can read.
pub(crate) fn unread_pipe() -> OwnedFd {
    let (reader, writer) = pipe_with(PipeFlags::CLOEXEC).unwrap();
    drop(reader);
    wait_until_unread(&writer);
    writer
}

/// Waits until no process has the reading end of this pipe any more.
pub(crate) fn wait_until_unread(writer: &OwnedFd) {
    wait_until("the last reader to close the pipe", || {
        let mut polled = [PollFd::new(writer, PollFlags::empty())];
        poll(&mut polled, Some(&Timespec::default())).unwrap();
        polled[0].revents().contains(PollFlags::ERR)
    });
}
