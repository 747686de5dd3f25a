//! `exec [--env NAME] [PROFILE] -- COMMAND…`: replaces the companion by the command, which finds the daemon through its
//! environment.

use core::ffi::CStr;

use crate::answer::Sink;
use crate::args::Call;
use crate::ask::{ask, deadline_of};
use crate::bytes::join;
use crate::help;
use crate::output::{Exit, FAILED, USAGE, complain};
use crate::places::{PATH_MAX, Place, Places, Room};
use crate::plain::one_line;
use crate::request::Words;
use crate::sys::{self, Arg, Env, Large};
use crate::text;
use command::{List, POINTERS, become_command, fill};

mod command;

/// The longest environment string that Linux accepts (MAX_ARG_STRLEN).
const LONGEST_VARIABLE: usize = 128 * 1024;

/// `NAME=token`.
static VARIABLE: Large<[u8; LONGEST_VARIABLE]> = Large::new([0; LONGEST_VARIABLE]);
/// `JETON_SOCKET=PATH`: the current folder, then the path as named.
static SOCKET: Large<[u8; 2 * PATH_MAX]> = Large::new([0; 2 * PATH_MAX]);
/// `JETON_PROFILE=NAME`.
static PROFILE: Large<[u8; PATH_MAX]> = Large::new([0; PATH_MAX]);
/// The command's environment.
static VARIABLES: Large<List> = Large::new([None; POINTERS]);

/// The arguments between `exec` and the command.
struct Plan {
    variable: Option<&'static [u8]>,
    profile: Option<&'static [u8]>,
    /// The command and its arguments, with the closing null pointer.
    command: &'static [Option<Arg<'static>>],
}

/// Runs the command. Returns only on failure, or after printing help.
pub(crate) fn run(call: &Call, env: Env<'static>) -> Result<u8, Exit> {
    let Some(plan) = Plan::parse(call)? else {
        return help::print(call, Words::Fixed(&[b"exec", b"--help"]), env);
    };
    match plan.variable {
        None => start(call, env, &plan, None),
        Some(name) => with_token(call, env, &plan, name),
    }
}

impl Plan {
    /// Parses the arguments; `None` is a request for help.
    fn parse(call: &Call) -> Result<Option<Self>, Exit> {
        let at = call
            .rest
            .iter()
            .position(|arg| arg.is_some_and(|arg| arg.bytes() == b"--"));
        let command = at
            .and_then(|at| call.rest.get(at + 1..))
            .unwrap_or_default();
        let mut plan = Self {
            variable: None,
            profile: None,
            command,
        };
        let mut words = call.words().skip(1).take_while(|&word| word != b"--");
        while let Some(word) = words.next() {
            match word {
                b"--env" if plan.variable.is_none() => {
                    plan.variable = Some(words.next().ok_or_else(usage)?);
                }
                b"--help" | b"-h" => return Ok(None),
                _ => match word.strip_prefix(b"--env=") {
                    Some(name) if plan.variable.is_none() => plan.variable = Some(name),
                    None if plan.profile.is_none() && !word.starts_with(b"-") => {
                        plan.profile = Some(word);
                    }
                    _ => return Err(usage()),
                },
            }
        }
        // The message does not repeat the word: it may be a secret that was pasted into the wrong place.
        if !plan.variable.is_none_or(is_variable_name) {
            return Err(complain(
                USAGE,
                &[b"--env wants the name of a variable of your own: letters, digits and _, no digit first, not JETON_SOCKET or JETON_PROFILE"],
            ));
        }
        // There must be a command before the null pointer.
        if matches!(plan.command, [] | [None]) {
            Err(usage())
        } else {
            Ok(Some(plan))
        }
    }
}

fn usage() -> Exit {
    complain(USAGE, &[text::EXEC_USAGE.as_bytes()])
}

/// Whether this is a variable name for a shell, and not one of the two that `exec` itself sets.
fn is_variable_name(name: &[u8]) -> bool {
    let letter = |byte: u8| byte.is_ascii_alphabetic() || byte == b'_';
    matches!(name, [first, rest @ ..] if letter(*first) && rest.iter().all(|&byte| letter(byte) || byte.is_ascii_digit()))
        && name != b"JETON_SOCKET"
        && name != b"JETON_PROFILE"
}

/// Asks for the token and puts it into the command's environment: never on standard output, never in an argument.
#[inline(never)]
fn with_token(call: &Call, env: Env<'static>, plan: &Plan, name: &[u8]) -> Result<u8, Exit> {
    let words: [&[u8]; 4] = [b"exec", b"--env", name, plan.profile.unwrap_or_default()];
    let words = words
        .get(..if plan.profile.is_some() { 4 } else { 3 })
        .unwrap_or_default();
    let room = VARIABLE.take()?;
    let begin = join(room, &[name, b"="]).map_or(0, <[u8]>::len);
    let mut used = begin;
    let code = ask(
        call,
        Words::Fixed(words),
        env,
        Sink::Kept {
            room,
            used: &mut used,
        },
    )?;
    if code != 0 {
        return Ok(code);
    }
    let variable = finish(room, begin, used);
    let variable = variable.ok_or_else(|| {
        complain(
            FAILED,
            &[b"the daemon's answer holds no token that fits an environment variable"],
        )
    })?;
    start(call, env, plan, Some(Arg::new(variable)))
}

/// Makes `NAME=token` a C string: drops one final newline; the rest must be printable and non-empty.
fn finish(room: &mut [u8], begin: usize, used: usize) -> Option<&CStr> {
    let token = one_line(room.get(begin..used)?)?;
    let end = begin + token.len();
    if token.is_empty() {
        return None;
    }
    *room.get_mut(end)? = 0;
    CStr::from_bytes_with_nul(room.get(..=end)?).ok()
}

/// Finds the daemon, so that JETON_SOCKET is correct, and runs the command in place of this process.
#[inline(never)]
fn start(
    call: &Call,
    env: Env<'static>,
    plan: &Plan,
    token: Option<Arg<'static>>,
) -> Result<u8, Exit> {
    let mut room = Room::new();
    let places = Places::tokens(call, env, &mut room);
    let (_, place) = places.connect(&deadline_of(call), false)?;
    let socket = socket_variable(SOCKET.take()?, place)?;
    let profile = match plan.profile {
        None => None,
        Some(name) => Some(
            c_string(PROFILE.take()?, &[b"JETON_PROFILE=", name, b"\0"]).ok_or_else(too_long)?,
        ),
    };
    let list = VARIABLES.take()?;
    let ours = [Some(socket), profile, token];
    let kept = env.args().filter(|old| {
        !ours
            .iter()
            .flatten()
            .any(|new| is_same_name(old.bytes(), new.bytes()))
    });
    fill(list, kept.chain(ours.into_iter().flatten()))?;
    Err(become_command(plan.command, env, list))
}

#[inline(never)]
fn is_same_name(one: &[u8], other: &[u8]) -> bool {
    one.split(|&byte| byte == b'=').next() == other.split(|&byte| byte == b'=').next()
}

/// Makes the path absolute, since the child may run in another folder. Does not normalise it, since a `..` may follow a
/// link.
fn socket_variable<'a>(room: &'a mut [u8], place: Place<'_>) -> Result<Arg<'a>, Exit> {
    let mut folder = [0; PATH_MAX];
    let (folder, slash): (&[u8], &[u8]) = match place.base {
        [b'/', ..] => (b"", b""),
        _ => (
            sys::cwd(&mut folder)
                .ok_or_else(|| complain(FAILED, &[b"cannot tell the current folder"]))?,
            b"/",
        ),
    };
    c_string(
        room,
        &[
            b"JETON_SOCKET=",
            folder,
            slash,
            place.base,
            place.tail,
            b"\0",
        ],
    )
    .ok_or_else(too_long)
}

fn too_long() -> Exit {
    complain(USAGE, &[b"an argument is too long"])
}

/// Joins the parts into a C string: the last one ends with the only zero byte.
#[inline(never)]
fn c_string<'a>(room: &'a mut [u8], parts: &[&[u8]]) -> Option<Arg<'a>> {
    CStr::from_bytes_with_nul(join(room, parts)?)
        .ok()
        .map(Arg::new)
}
