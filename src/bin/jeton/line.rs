//! Prints a token as one line, which is used in a header, a variable or a file.

use crate::answer::Sink;
use crate::args::Call;
use crate::ask::ask;
use crate::output::{self, Exit, FAILED, complain};
use crate::plain::one_line;
use crate::request::{Arguments, CAP};
use crate::sys::{Env, StaticBuffer};

/// Room for the largest reply.
static ROOM: StaticBuffer<[u8; CAP]> = StaticBuffer::new([0; CAP]);

/// Reports whether the verb prints a token and nothing else.
pub(crate) fn is_for(verb: Option<&[u8]>) -> bool {
    matches!(verb, Some(b"token" | b"header" | b"reject"))
}

/// Sends the request, and prints the reply if that is one line of printable ASCII. Nothing is printed before the reply
/// is complete.
pub(crate) fn print(call: &Call, env: Env<'static>) -> Result<u8, Exit> {
    let room = ROOM.take()?;
    let mut used = 0;
    let sink = Sink::Kept {
        room,
        used: &mut used,
    };
    let code = ask(call, Arguments::Given(call), env, sink)?;
    let text = room.get(..used).unwrap_or_default();
    if one_line(text).is_none() {
        let line: [&[u8]; 1] = [b"the answer is not printed, since it is not one line of printable ASCII; is it jetond that listens there?"];
        return Err(complain(FAILED, &line));
    }
    output::stdout(text).map(|()| code)
}
