//! One HTTP/1.0 exchange on a connection: sends the request, then reads the reply to its end.

use crate::answer::{NextStep, ReplyParser};
use crate::bytes::copy;
use crate::deadline::{Deadline, sys_failed};
use crate::output::{Decimal, Exit, USAGE, complain};
use crate::request::{CAP, Request, Unsent};
use crate::sys::{self, StaticBuffer, Stream, errno};

/// The size of the buffer. Usual requests and usual replies fit.
const SIZE: usize = 8 * 1024;

/// The pieces of the request, and then those of the reply.
static BUFFER: StaticBuffer<[u8; SIZE]> = StaticBuffer::new([0; SIZE]);

/// The reason why an exchange ended without a result.
pub(crate) enum Failure {
    /// The connection broke before the first byte of the reply. Nothing was printed, so the request may be sent again.
    Broken,
    /// The program must exit.
    Exit(Exit),
}

impl From<Exit> for Failure {
    fn from(exit: Exit) -> Self {
        Self::Exit(exit)
    }
}

/// Sends the request, and passes the reply to `answer` as it arrives.
pub(crate) fn exchange(
    stream: &Stream,
    request: &Request<'_>,
    endless: bool,
    answer: &mut ReplyParser<'_>,
) -> Result<NextStep, Failure> {
    let length = request.len();
    if length > CAP {
        return Err(complain(USAGE, &[b"the request is longer than 256 KiB"]).into());
    }
    let mut buffer = BUFFER.lend()?;
    send(stream, request, length, &mut buffer)?;
    let mut answered = false;
    // The daemon first needs time to answer: an immediate read would find nothing.
    request.deadline.wait(stream.fd(), sys::POLLIN, endless)?;
    loop {
        let got = match stream.receive(&mut *buffer) {
            Ok(got) => got,
            Err(errno::EINTR) => continue,
            Err(errno::EAGAIN) => {
                request.deadline.wait(stream.fd(), sys::POLLIN, endless)?;
                continue;
            }
            // The kernel reports this error after all bytes that arrived before it, so it counts as the end of the
            // stream.
            Err(errno::ECONNRESET | errno::EPIPE) => 0,
            Err(error) => return Err(sys_failed(b"recv", error).into()),
        };
        match buffer.get(..got) {
            None | Some([]) if !answered => return Err(Failure::Broken),
            None | Some([]) => return Ok(answer.end()?),
            Some(bytes) => {
                answered = true;
                if let Some(next) = answer.feed(bytes)? {
                    return Ok(next);
                }
            }
        }
    }
}

/// Sends the head, then the frame. A broken pipe is not yet a failure: a daemon that closes early may have sent a
/// reply.
fn send(
    stream: &Stream,
    request: &Request<'_>,
    length: usize,
    buffer: &mut [u8; SIZE],
) -> Result<(), Exit> {
    let mut out = Outgoing {
        stream,
        deadline: request.deadline,
        held: buffer,
        used: 0,
    };
    // The length is at most CAP.
    let digits = Decimal::new(length as u32);
    let head: [&[u8]; 3] = [
        b"POST /v1/helper HTTP/1.0\r\nContent-Type: application/octet-stream\r\nContent-Length: ",
        digits.digits(),
        b"\r\n\r\n",
    ];
    let sent = head
        .iter()
        .try_for_each(|part| out.put(part))
        .and_then(|()| request.write(&mut |bytes| out.put(bytes)));
    match sent.and_then(|()| out.flush()) {
        Ok(()) | Err(Unsent::Closed) => Ok(()),
        Err(Unsent::Exit(exit)) => Err(exit),
    }
}

/// A buffer for small pieces, so that a usual request is one system call.
struct Outgoing<'a> {
    stream: &'a Stream,
    deadline: &'a Deadline,
    held: &'a mut [u8; SIZE],
    used: usize,
}

impl Outgoing<'_> {
    #[inline(never)]
    fn put(&mut self, mut bytes: &[u8]) -> Result<(), Unsent> {
        while !bytes.is_empty() {
            let copied = copy(self.held.get_mut(self.used..).unwrap_or_default(), bytes);
            self.used += copied;
            bytes = bytes.get(copied..).unwrap_or_default();
            if self.used == self.held.len() {
                self.flush()?;
            }
        }
        Ok(())
    }

    fn flush(&mut self) -> Result<(), Unsent> {
        let mut bytes = self.held.get(..self.used).unwrap_or_default();
        self.used = 0;
        while !bytes.is_empty() {
            match self.stream.send(bytes) {
                Ok(sent) => bytes = bytes.get(sent..).unwrap_or_default(),
                Err(errno::EINTR) => {}
                Err(errno::EAGAIN) => self
                    .deadline
                    .wait(self.stream.fd(), sys::POLLOUT, false)
                    .map_err(Unsent::Exit)?,
                Err(errno::EPIPE | errno::ECONNRESET) => return Err(Unsent::Closed),
                Err(error) => return Err(Unsent::Exit(sys_failed(b"send", error))),
            }
        }
        Ok(())
    }
}
