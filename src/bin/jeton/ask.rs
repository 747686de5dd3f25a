//! One conversation with the daemon: connects, sends the request and reads the reply. It sends the request again if the
//! connection broke, if the reply asks for standard input, or if the reply redirects to the admin socket. One deadline
//! covers everything.

use crate::answer::{NextStep, ReplyParser, Sink};
use crate::args::{Call, milliseconds};
use crate::deadline::Deadline;
use crate::http::{Failure, exchange};
use crate::input::{self, InputExtent};
use crate::output::{Exit, TRY_AGAIN, complain};
use crate::places::{PathBuffers, Places, SplitPath};
use crate::request::{Arguments, CAP, Request, Terminal};
use crate::sys::{Env, StaticBuffer};

/// The default timeout in milliseconds, since a helper that hangs also blocks its caller. `--timeout` overrides it.
const TIMEOUT_MS: u32 = 30_000;

/// How long to wait for the reply beyond `ready --wait`, in milliseconds.
const ANSWER_MS: u32 = 1_000;

/// Determines the deadline of this call.
pub(crate) fn deadline_of(call: &Call) -> Deadline {
    match (call.wait, call.timeout) {
        (Some(wait), _) => Deadline::after(wait, ANSWER_MS),
        (None, Some(timeout)) => Deadline::after(timeout, 0),
        // A rotation waits for the tokens of the old credential to expire.
        (None, None) if is_streamed(call) => Deadline::never(),
        (None, None) => Deadline::after(TIMEOUT_MS, 0),
    }
}

/// Reports whether the reply is a stream of events without a known end.
// Not inlined, and neither is the next function: each copy of the comparison takes a hundred bytes.
#[inline(never)]
fn is_streamed(call: &Call) -> bool {
    matches!(call.verb(), Some(b"watch" | b"rotate"))
}

/// Reports whether the reply is the same for a terminal and for a pipe.
#[inline(never)]
fn prints_a_token(call: &Call) -> bool {
    matches!(call.verb(), Some(b"token" | b"header"))
}

#[inline(never)]
fn is_reload(call: &Call) -> bool {
    call.verb() == Some(b"reload")
}

/// Sends a request to the daemon. Returns the exit code that the daemon chose, or the one for its problem.
#[inline(never)]
pub(crate) fn ask(
    call: &Call,
    words: Arguments<'_>,
    env: Env<'static>,
    sink: Sink<'_>,
) -> Result<u8, Exit> {
    let mut room = PathBuffers::new();
    ask_somewhere(call, words, env, sink, &mut room).map(|(code, _)| code)
}

/// Does the same, and also returns the place of the socket that it used.
#[inline(never)]
pub(crate) fn ask_somewhere<'a>(
    call: &Call,
    words: Arguments<'_>,
    env: Env<'static>,
    sink: Sink<'_>,
    room: &'a mut PathBuffers,
) -> Result<(u8, SplitPath<'a>), Exit> {
    let mut deadline = deadline_of(call);
    // systemd passes the daemon's process ID to the command in `ExecReload=`.
    if is_reload(call)
        && let Some(pid) = env.get(b"MAINPID").and_then(milliseconds)
    {
        // The highest process ID is 2^22, so a thousand times that still fits into a u32.
        deadline.end_with(pid / 1000)?;
    }
    let places = Places::of(call, env, room)?;
    let request = Request {
        name: call.name,
        words,
        env,
        terminal: match prints_a_token(call) {
            true => Terminal::NONE,
            false => Terminal::look(),
        },
        deadline: &deadline,
        input: None,
    };
    let answer = ReplyParser::new(sink, is_streamed(call), places.are_admin());
    exchange_with_redirects(&places, &request, call, answer)
}

/// Sends one request, and again as its reply demands: with standard input and to the admin socket, at most once each.
fn exchange_with_redirects<'a>(
    places: &Places<'a>,
    request: &Request<'_>,
    call: &Call,
    mut answer: ReplyParser<'_>,
) -> Result<(u8, SplitPath<'a>), Exit> {
    let (next, taken) = exchange_with_resend(places, request, call, &mut answer)?;
    match next {
        NextStep::Exit(code) => Ok((code, taken)),
        NextStep::SendInput(_) if request.input.is_some() => Err(complain(
            TRY_AGAIN,
            &[b"the daemon asks for standard input again"],
        )),
        NextStep::SendInput(extent) => with_input(places, request, call, extent, answer),
        NextStep::SendToAdmin => at_admin(taken, request, call, answer).map(|code| (code, taken)),
    }
}

/// The input of a verb, such as the rejected token.
static INPUT: StaticBuffer<[u8; CAP]> = StaticBuffer::new([0; CAP]);

/// Sends the request with standard input.
fn with_input<'a>(
    places: &Places<'a>,
    request: &Request<'_>,
    call: &Call,
    extent: InputExtent,
    answer: ReplyParser<'_>,
) -> Result<(u8, SplitPath<'a>), Exit> {
    let input = input::read(extent, INPUT.take()?, request.deadline)?;
    let request = Request {
        input: Some(input),
        ..*request
    };
    exchange_with_redirects(places, &request, call, answer.again(places.are_admin()))
}

/// Sends the request to the admin socket of the daemon whose token socket was `taken`. Not inlined, so that only this
/// function takes its room on the stack.
#[inline(never)]
fn at_admin(
    taken: SplitPath<'_>,
    request: &Request<'_>,
    call: &Call,
    answer: ReplyParser<'_>,
) -> Result<u8, Exit> {
    let mut room = PathBuffers::new();
    let places = Places::admin_of(taken, request.env, &mut room)?;
    exchange_with_redirects(&places, request, call, answer.again(true)).map(|(code, _)| code)
}

/// Sends one request, and again if the connection broke before the first byte of the reply, so that a restart of the
/// daemon goes unnoticed. `reload` is not sent again: the next daemon reads the configuration anyway. As `ExecReload=`
/// it would wait for a daemon that systemd starts only after `ExecReload=` has ended.
fn exchange_with_resend<'a>(
    places: &Places<'a>,
    request: &Request<'_>,
    call: &Call,
    answer: &mut ReplyParser<'_>,
) -> Result<(NextStep, SplitPath<'a>), Exit> {
    let attempts = if is_reload(call) { 1 } else { 2 };
    for _ in 0..attempts {
        let (stream, taken) = places.connect(request.deadline, call.wait.is_some())?;
        match exchange(&stream, request, is_streamed(call), answer) {
            Ok(next) => {
                if matches!(next, NextStep::Exit(_)) {
                    // The descriptor is closed by the end of the process, or by the command that replaces it.
                    core::mem::forget(stream);
                }
                return Ok((next, taken));
            }
            Err(Failure::Broken) => {}
            Err(Failure::Exit(exit)) => return Err(exit),
        }
    }
    Err(complain(
        TRY_AGAIN,
        &[b"the connection broke before the answer; try again"],
    ))
}
