//! Ends that are gone for certain. A child of another test has a copy of each descriptor between its fork and its exec,
//! so that what this process has closed may still be read, or still accept.

use std::os::fd::{AsFd, OwnedFd};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::net::{Shutdown, shutdown};
use rustix::pipe::{PipeFlags, pipe_with};

use super::daemon::wait_until;

/// Ends a socket for all its copies: nothing is received there, and nobody is accepted.
pub(crate) fn end(socket: impl AsFd) {
    shutdown(socket, Shutdown::Both).unwrap();
}

/// The writing end of a pipe that nobody can read.
pub(crate) fn unread_pipe() -> OwnedFd {
    let (reader, writer) = pipe_with(PipeFlags::CLOEXEC).unwrap();
    drop(reader);
    wait_until_unread(&writer);
    writer
}

/// Waits until nobody has the reading end of this pipe any more.
pub(crate) fn wait_until_unread(writer: &OwnedFd) {
    wait_until("the last reader to be gone", || {
        let mut polled = [PollFd::new(writer, PollFlags::empty())];
        poll(&mut polled, Some(&Timespec::default())).unwrap();
        polled[0].revents().contains(PollFlags::ERR)
    });
}
