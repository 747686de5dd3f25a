//! A whole conversation: connect, ask, and again where the connection broke, where the answer asks for standard input, and
//! where it sends the request to the admin socket. One deadline covers it all.

use crate::answer::{Answer, Next, Sink};
use crate::args::Call;
use crate::deadline::Deadline;
use crate::http::{Failure, exchange};
use crate::input::{self, Extent};
use crate::output::{Exit, TRY_AGAIN, complain};
use crate::places::{Place, Places, Room};
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
        // A rotation waits for the tokens of the old credential to expire.
        (None, None) if is_watch(call) || call.verb() == Some(b"rotate") => Deadline::never(),
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
    let answer = Answer::new(sink, is_watch(call), places.are_admin());
    turn(&places, &request, call, answer)
}

/// One request and what its answer asks for: at most standard input and the admin socket, once each.
fn turn(
    places: &Places<'_>,
    request: &Request<'_>,
    call: &Call,
    mut answer: Answer<'_>,
) -> Result<u8, Exit> {
    let (next, taken) = converse(places, request, call, &mut answer)?;
    match next {
        Next::Exit(code) => Ok(code),
        Next::SendInput(_) if request.input.is_some() => Err(complain(
            TRY_AGAIN,
            &[b"the daemon asks for standard input again"],
        )),
        Next::SendInput(extent) => with_input(places, request, call, extent, answer),
        Next::SendToAdmin => at_admin(taken, request, call, answer),
    }
}

/// The request with standard input. It has a function of its own, never inlined, so that only it pays for the room on the
/// stack.
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
    let request = Request {
        input: Some(input),
        ..*request
    };
    turn(places, &request, call, answer.again(places.are_admin()))
}

/// The request at the admin socket of the daemon whose token socket was `taken`. It is never inlined either.
#[inline(never)]
fn at_admin(
    taken: Place<'_>,
    request: &Request<'_>,
    call: &Call,
    answer: Answer<'_>,
) -> Result<u8, Exit> {
    let mut room = Room::new();
    let places = Places::admin_of(taken, request.env, &mut room)?;
    turn(&places, request, call, answer.again(true))
}

/// One request, sent again once if its connection broke before the first byte of the answer: so a daemon's restart goes unnoticed.
fn converse<'a>(
    places: &Places<'a>,
    request: &Request<'_>,
    call: &Call,
    answer: &mut Answer<'_>,
) -> Result<(Next, Place<'a>), Exit> {
    for _ in 0..2 {
        let (stream, taken) = places.connect(request.deadline, call.wait.is_some())?;
        match exchange(&stream, request, is_watch(call), answer) {
            Ok(next) => return Ok((next, taken)),
            Err(Failure::Broken) => {}
            Err(Failure::Exit(exit)) => return Err(exit),
        }
    }
    Err(complain(
        TRY_AGAIN,
        &[b"the connection broke before the answer; try again"],
    ))
}
