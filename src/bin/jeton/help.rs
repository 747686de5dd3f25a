//! Prints help: the daemon's text, since it knows its own verbs; without a daemon, the text that this companion was
//! built with.

use crate::answer::Sink;
use crate::args::Call;
use crate::ask::ask;
use crate::output::{self, Exit, USAGE};
use crate::request::Arguments;
use crate::sys::{Env, StaticBuffer};
use crate::text;

/// The longest text that is accepted from the daemon. A longer one is not printed.
const LONGEST: usize = 32 * 1024;

static ROOM: StaticBuffer<[u8; LONGEST]> = StaticBuffer::new([0; LONGEST]);

/// The timeout for the daemon's text, in milliseconds. It is short, since users read help when something does not work.
const PATIENCE_MS: u32 = 2_000;

/// Returns the call with the timeout of help, unless it has a timeout of its own.
pub(crate) fn patient(call: &Call) -> Call {
    Call {
        timeout: call.timeout.or(Some(PATIENCE_MS)),
        ..*call
    }
}

/// Prints the help that these words request.
pub(crate) fn print(call: &Call, words: Arguments<'_>, env: Env<'static>) -> Result<u8, Exit> {
    let call = patient(call);
    let room = ROOM.take()?;
    let mut used = 0;
    let sink = Sink::Kept {
        room,
        used: &mut used,
    };
    output::set_mute(true);
    let asked = ask(&call, words, env, sink);
    output::set_mute(false);
    match asked {
        Ok(0) if used > 0 => output::stdout(room.get(..used).unwrap_or_default()).map(|()| 0),
        // The daemon does not know the verb, so its own message is printed.
        Ok(USAGE) if is_of_a_verb(&call) => ask(&call, words, env, Sink::Stdout),
        _ => output::stdout(text::HELP.as_bytes()).map(|()| 0),
    }
}

/// Reports whether this is `help VERB`, and not `exec --help`.
fn is_of_a_verb(call: &Call) -> bool {
    call.verb() != Some(b"exec") && call.words().nth(1).is_some()
}
