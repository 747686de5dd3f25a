//! A whole conversation: connect, ask, once more if the connection broke, once more with standard input if that is asked for.

use crate::answer::{Answer, Next, Sink};
use crate::args::Call;
use crate::deadline::Deadline;
use crate::http::{Failure, exchange};
use crate::input::{self, Extent};
use crate::output::{Exit, TRY_AGAIN, complain};
use crate::places::{Places, Room};
use crate::request::{CAP, Request, Terminal, Words};
use crate::sys::Env;

/// A helper that hangs hangs its caller; `--timeout` overrides. In milliseconds.
const TIMEOUT_MS: u32 = 30_000;

/// How much longer than `ready --wait` we stay for the answer. In milliseconds.
const ANSWER_MS: u32 = 1_000;

/// Until when this call may last.
pub(crate) fn deadline_of(call: &Call) -> Deadline {
    match (call.wait, call.timeout) {
        (Some(wait), _) => Deadline::after(wait, ANSWER_MS),
        (None, Some(timeout)) => Deadline::after(timeout, 0),
        (None, None) if is_watch(call) => Deadline::never(),
        (None, None) => Deadline::after(TIMEOUT_MS, 0),
    }
}

fn is_watch(call: &Call) -> bool {
    call.verb() == Some(b"watch")
}

/// Asks the daemon. The result is the exit code that it chose, or its problem's.
pub(crate) fn ask(
    call: &Call,
    words: Words<'_>,
    env: Env<'static>,
    sink: Sink<'_>,
) -> Result<u8, Exit> {
    let deadline = deadline_of(call);
    let mut room = Room::new();
    let places = Places::of(call, env, &mut room)?;
    let request = Request {
        name: call.name,
        words,
        env,
        terminal: Terminal::look(),
        deadline: &deadline,
        input: None,
    };
    let mut answer = Answer::new(sink, is_watch(call));
    match converse(&places, &request, call, &mut answer)? {
        Next::Exit(code) => Ok(code),
        Next::SendInput(extent) => with_input(&places, &request, call, extent, answer),
    }
}

/// The second request. It has a function of its own, never inlined, so that only it pays for the room on the stack.
#[inline(never)]
fn with_input(
    places: &Places<'_>,
    request: &Request<'_>,
    call: &Call,
    extent: Extent,
    answer: Answer<'_>,
) -> Result<u8, Exit> {
    let mut room = [0; CAP];
    let input = input::read(extent, &mut room, request.deadline)?;
    match converse(
        places,
        &Request {
            input: Some(input),
            ..*request
        },
        call,
        &mut answer.again(),
    )? {
        Next::Exit(code) => Ok(code),
        Next::SendInput(_) => Err(complain(
            TRY_AGAIN,
            &[b"the daemon asks for standard input again"],
        )),
    }
}

/// One request, sent again once if its connection broke before the first byte of the answer: so a daemon's restart goes unnoticed.
fn converse(
    places: &Places<'_>,
    request: &Request<'_>,
    call: &Call,
    answer: &mut Answer<'_>,
) -> Result<Next, Exit> {
    for _ in 0..2 {
        let (stream, _) = places.connect(request.deadline, call.wait.is_some())?;
        match exchange(&stream, request, is_watch(call), answer) {
            Ok(next) => return Ok(next),
            Err(Failure::Broken) => {}
            Err(Failure::Exit(exit)) => return Err(exit),
        }
    }
    Err(complain(
        TRY_AGAIN,
        &[b"the connection broke before the answer; try again"],
    ))
}
