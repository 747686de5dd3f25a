//! The daemon's reply: an HTTP head, then fields that are written out as they arrive, wherever the stream splits them.

use crate::bytes::copy;
use crate::input::InputExtent;
use crate::output::{self, Exit, FAILED, TRY_AGAIN, complain};
use crate::plain::StderrFilter;
use crate::problem::Problem;
use crate::request::{CAP, FIELD_HEAD, VERSION};

const TAG_STDOUT: u8 = 1;
const TAG_STDERR: u8 = 2;
const TAG_EXIT: u8 = 3;
const TAG_SEND_INPUT: u8 = 4;
const TAG_SEND_TO_ADMIN: u8 = 5;

/// Limit for the HTTP head of a reply; the daemon's has some 150 bytes.
const HEAD_CAP: usize = 16 * 1024;

/// Length of `HTTP/1.1 200`.
const STATUS_LINE: usize = 12;

/// The next step after a reply.
pub(crate) enum NextStep {
    Exit(u8),
    /// Send the same request once more, with standard input.
    SendInput(InputExtent),
    /// Send the same request once more, to the admin socket.
    SendToAdmin,
}

/// The destination of the fields for standard output.
pub(crate) enum Sink<'a> {
    Stdout,
    /// Kept instead of printed, after the first `used` bytes of `room`: the token of `exec --env`, or help.
    Kept {
        room: &'a mut [u8],
        used: &'a mut usize,
    },
}

impl Sink<'_> {
    fn write(&mut self, bytes: &[u8]) -> Result<(), Exit> {
        match self {
            Self::Stdout => output::stdout(bytes),
            Self::Kept { room, used } => {
                let free = room.get_mut(**used..).unwrap_or_default();
                if bytes.len() > free.len() {
                    return Err(complain(FAILED, &[b"the token is too long"]));
                }
                **used += copy(free, bytes);
                Ok(())
            }
        }
    }
}

/// The part of the reply that the next byte belongs to.
enum ReplyPart {
    /// Whether a line of the head has begun.
    Head(bool),
    Version,
    FieldHead {
        held: [u8; FIELD_HEAD],
        used: usize,
    },
    Payload {
        tag: u8,
        left: usize,
        first: Option<u8>,
    },
    Problem,
}

/// Parses one reply.
pub(crate) struct ReplyParser<'a> {
    sink: Sink<'a>,
    /// How many bytes of the body may still arrive. A `watch` has no end, and a rotation may take days, so for these
    /// the limit applies to each field.
    left: usize,
    endless: bool,
    /// Whether the reply may send the request to the admin socket. It may not if it comes from there, or after a field
    /// was printed, because the next reply would be printed in addition.
    may_send_to_admin: bool,
    status_line: [u8; STATUS_LINE],
    head: usize,
    status: u16,
    part: ReplyPart,
    errors: StderrFilter,
    problem: Problem,
}

impl<'a> ReplyParser<'a> {
    pub(crate) const fn new(sink: Sink<'a>, endless: bool, from_admin: bool) -> Self {
        Self {
            sink,
            left: CAP,
            endless,
            may_send_to_admin: !from_admin,
            status_line: [0; _],
            head: 0,
            status: 0,
            part: ReplyPart::Head(false),
            errors: StderrFilter::new(),
            problem: Problem::new(),
        }
    }

    /// Prepares for the next reply, with the same destination.
    pub(crate) fn again(mut self, from_admin: bool) -> Self {
        self.problem.clear();
        Self {
            left: CAP,
            may_send_to_admin: !from_admin,
            head: 0,
            status: 0,
            part: ReplyPart::Head(false),
            errors: StderrFilter::new(),
            ..self
        }
    }

    /// Processes the bytes that have arrived. Returns a result as soon as a field decides; later bytes are ignored.
    pub(crate) fn feed(&mut self, mut bytes: &[u8]) -> Result<Option<NextStep>, Exit> {
        while !bytes.is_empty() {
            match &mut self.part {
                ReplyPart::Head(begun) => {
                    let begun = *begun;
                    bytes = self.head(bytes, begun)?;
                }
                ReplyPart::Version => {
                    let (version, rest) = split_first(bytes);
                    bytes = rest;
                    self.spend(1)?;
                    if version != VERSION {
                        return Err(complain(
                            TRY_AGAIN,
                            &[b"the answer has a form that this jeton does not know"],
                        ));
                    }
                    self.part = ReplyPart::FieldHead {
                        held: [0; _],
                        used: 0,
                    };
                }
                ReplyPart::FieldHead { held, used } => {
                    let (byte, rest) = split_first(bytes);
                    bytes = rest;
                    if let Some(slot) = held.get_mut(*used) {
                        *slot = byte;
                    }
                    *used += 1;
                    if *used == FIELD_HEAD {
                        let [tag, length @ ..] = *held;
                        let left =
                            usize::try_from(u32::from_le_bytes(length)).unwrap_or(usize::MAX);
                        if self.endless {
                            self.left = CAP;
                        }
                        self.spend(left.saturating_add(FIELD_HEAD))?;
                        self.part = ReplyPart::Payload {
                            tag,
                            left,
                            first: None,
                        };
                        self.may_send_to_admin &= !matches!(tag, TAG_STDOUT | TAG_STDERR);
                        if left == 0
                            && let Some(next) = self.field_end(tag, None)?
                        {
                            return Ok(Some(next));
                        }
                    }
                }
                ReplyPart::Payload { tag, left, first } => {
                    let (now, rest) = bytes.split_at(bytes.len().min(*left));
                    bytes = rest;
                    *left -= now.len();
                    *first = first.or(now.first().copied());
                    let (tag, first, done) = (*tag, *first, *left == 0);
                    match tag {
                        TAG_STDOUT => self.sink.write(now)?,
                        TAG_STDERR => self.errors.print(now, done),
                        _ => {}
                    }
                    if done && let Some(next) = self.field_end(tag, first)? {
                        return Ok(Some(next));
                    }
                }
                ReplyPart::Problem => {
                    self.problem.push(bytes)?;
                    bytes = &[];
                }
            }
        }
        Ok(None)
    }

    /// Handles the end of the stream before a last field.
    pub(crate) fn end(&self) -> Result<NextStep, Exit> {
        match self.part {
            ReplyPart::Problem => Ok(NextStep::Exit(self.problem.report(self.status))),
            _ => Err(complain(TRY_AGAIN, &[b"the answer broke off; try again"])),
        }
    }

    /// Processes bytes of the head, line by line. Returns the bytes after the head.
    fn head<'b>(&mut self, mut bytes: &'b [u8], mut begun: bool) -> Result<&'b [u8], Exit> {
        while !bytes.is_empty() {
            let end = bytes.iter().position(|&byte| byte == b'\n');
            let (line, rest) = bytes.split_at(end.map_or(bytes.len(), |at| at + 1));
            if let Some(free) = self.status_line.get_mut(self.head..) {
                copy(free, line);
            }
            self.head += line.len();
            if self.status == 0 && self.head >= STATUS_LINE {
                self.status = status(self.status_line).ok_or_else(not_http)?;
            }
            if self.head > HEAD_CAP {
                return Err(not_http());
            }
            begun |= line.iter().any(|byte| !matches!(byte, b'\r' | b'\n'));
            bytes = rest;
            if end.is_some() {
                if !begun {
                    self.part = match self.status {
                        0 => return Err(not_http()),
                        200 => ReplyPart::Version,
                        _ => ReplyPart::Problem,
                    };
                    return Ok(bytes);
                }
                begun = false;
            }
        }
        self.part = ReplyPart::Head(begun);
        Ok(bytes)
    }

    /// Counts announced bytes before any of them is printed.
    fn spend(&mut self, bytes: usize) -> Result<(), Exit> {
        self.left = self
            .left
            .checked_sub(bytes)
            .ok_or_else(|| complain(TRY_AGAIN, &[b"the answer is longer than 256 KiB"]))?;
        Ok(())
    }

    fn field_end(&mut self, tag: u8, first: Option<u8>) -> Result<Option<NextStep>, Exit> {
        self.part = ReplyPart::FieldHead {
            held: [0; _],
            used: 0,
        };
        match (tag, first) {
            (TAG_EXIT, Some(code)) => Ok(Some(NextStep::Exit(code))),
            (TAG_SEND_INPUT, Some(0)) => Ok(Some(NextStep::SendInput(InputExtent::All))),
            (TAG_SEND_INPUT, Some(1)) => Ok(Some(NextStep::SendInput(InputExtent::Line))),
            (TAG_SEND_TO_ADMIN, _) if self.may_send_to_admin => Ok(Some(NextStep::SendToAdmin)),
            (TAG_EXIT | TAG_SEND_INPUT, _) => {
                Err(complain(TRY_AGAIN, &[b"the answer is malformed"]))
            }
            _ => Ok(None),
        }
    }
}

fn split_first(bytes: &[u8]) -> (u8, &[u8]) {
    bytes
        .split_first()
        .map_or((0, bytes), |(&byte, rest)| (byte, rest))
}

/// Parses the status in `HTTP/1.x NNN`.
fn status(line: [u8; STATUS_LINE]) -> Option<u16> {
    let [
        b'H',
        b'T',
        b'T',
        b'P',
        b'/',
        b'1',
        b'.',
        _,
        b' ',
        digits @ ..,
    ] = line
    else {
        return None;
    };
    digits.iter().try_fold(0, |sum, digit| {
        digit
            .is_ascii_digit()
            .then(|| sum * 10 + u16::from(digit - b'0'))
    })
}

fn not_http() -> Exit {
    complain(
        TRY_AGAIN,
        &[b"what listens there is not jetond: the answer is not HTTP"],
    )
}
