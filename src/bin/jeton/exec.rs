//! `exec [--env NAME] [--file NAME] [PROFILE] -- COMMAND…`: replaces the companion by the command, whose environment
//! names the daemon's socket.

use core::ffi::CStr;

use crate::answer::Sink;
use crate::args::Call;
use crate::ask::{ask_somewhere, deadline_of};
use crate::bytes::join;
use crate::help;
use crate::output::{Exit, FAILED, USAGE, complain};
use crate::places::{PATH_MAX, PathBuffers, Places, SplitPath};
use crate::plain::one_line;
use crate::request::Arguments;
use crate::sys::{self, Arg, Env, StaticBuffer};
use crate::text;
use command::{List, POINTERS, become_command, fill};

mod command;

const SOCKET_NAME: &[u8] = b"JETON_SOCKET=";
const ENV_OPTION: &[u8] = b"--env";
const FILE_OPTION: &[u8] = b"--file";
const OPTIONS: [&[u8]; 2] = [ENV_OPTION, FILE_OPTION];

/// The longest path below the socket's folder that is accepted from the daemon.
const LONGEST_NAME: usize = 512;

/// The longest environment string that Linux accepts (MAX_ARG_STRLEN).
const LONGEST_VARIABLE: usize = 128 * 1024;

/// The variable `NAME=token`.
static VARIABLE: StaticBuffer<[u8; LONGEST_VARIABLE]> = StaticBuffer::new([0; LONGEST_VARIABLE]);
/// The variable `JETON_SOCKET=PATH`: the current folder, then the path as named.
static SOCKET: StaticBuffer<[u8; 2 * PATH_MAX]> = StaticBuffer::new([0; 2 * PATH_MAX]);
/// The variable `NAME=PATH` of the file with the token.
static FILE: StaticBuffer<[u8; 2 * PATH_MAX]> = StaticBuffer::new([0; 2 * PATH_MAX]);
/// The variable `JETON_PROFILE=NAME`.
static PROFILE: StaticBuffer<[u8; PATH_MAX]> = StaticBuffer::new([0; PATH_MAX]);
/// The command's environment.
static VARIABLES: StaticBuffer<List> = StaticBuffer::new([None; POINTERS]);

/// The arguments between `exec` and the command.
struct Plan {
    /// The variable for the token.
    variable: Option<&'static [u8]>,
    /// The variable for the path of a file with the token.
    file: Option<&'static [u8]>,
    profile: Option<&'static [u8]>,
    /// The command and its arguments, with the closing null pointer.
    command: &'static [Option<Arg<'static>>],
}

/// Runs the command. Returns only on failure, or after printing help.
pub(crate) fn run(call: &Call, env: Env<'static>) -> Result<u8, Exit> {
    let Some(plan) = Plan::parse(call)? else {
        return help::print(call, Arguments::Fixed(&[b"exec", b"--help"]), env);
    };
    match plan.variable {
        None => start(call, env, &plan, None),
        Some(name) => with_token(call, env, &plan, name),
    }
}

impl Plan {
    /// Parses the arguments; `None` if they request help.
    fn parse(call: &Call) -> Result<Option<Self>, Exit> {
        let at = call
            .rest
            .iter()
            .position(|arg| arg.is_some_and(|arg| arg.bytes() == b"--"));
        let command = at
            .and_then(|at| call.rest.get(at + 1..))
            .unwrap_or_default();
        let mut slots = [None; 3];
        let mut open = None;
        // Called at one place only: each copy of the iterator takes hundreds of bytes.
        for word in call.words().skip(1).take_while(|&word| word != b"--") {
            let mut options = OPTIONS.iter().enumerate();
            let option =
                options.find_map(|(at, &name)| word.strip_prefix(name).map(|rest| (at, rest)));
            let (at, value) = match (open.take(), option) {
                (Some(at), _) => (at, word),
                (None, _) if matches!(word, b"--help" | b"-h") => return Ok(None),
                (None, Some((at, [b'=', value @ ..]))) => (at, value),
                (None, Some((at, []))) => {
                    open = Some(at);
                    continue;
                }
                (None, Some(_)) => return Err(usage()),
                (None, None) if word.starts_with(b"-") => return Err(usage()),
                (None, None) => (OPTIONS.len(), word),
            };
            match slots.get_mut(at) {
                Some(slot @ None) => *slot = Some(value),
                _ => return Err(usage()),
            }
        }
        let [variable, file, profile] = slots;
        if open.is_some() || variable.is_some() && variable == file {
            return Err(usage());
        }
        for (option, name) in OPTIONS.iter().zip([variable, file]) {
            // The message does not repeat the word: it may be a secret that was pasted into the wrong place.
            if !name.is_none_or(is_variable_name) {
                return Err(complain(
                    USAGE,
                    &[option, b" wants the name of a variable of your own: letters, digits and _, no digit first, not JETON_SOCKET or JETON_PROFILE"],
                ));
            }
        }
        let plan = Self {
            variable,
            file,
            profile,
            command,
        };
        // The list must have a command before its null pointer.
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

/// Reports whether a name is valid for a shell variable, and is not one of the two that `exec` itself sets.
fn is_variable_name(name: &[u8]) -> bool {
    let letter = |byte: u8| byte.is_ascii_alphabetic() || byte == b'_';
    matches!(name, [first, rest @ ..] if letter(*first) && rest.iter().all(|&byte| letter(byte) || byte.is_ascii_digit()))
        && name != b"JETON_SOCKET"
        && name != b"JETON_PROFILE"
}

/// Requests the token and puts it into the command's environment: never on standard output, never into an argument.
#[inline(never)]
fn with_token(call: &Call, env: Env<'static>, plan: &Plan, name: &[u8]) -> Result<u8, Exit> {
    let kept = VARIABLE.take()?;
    let begin = join(kept, &[name, b"="]).map_or(0, <[u8]>::len);
    let mut used = begin;
    let option = [ENV_OPTION, name];
    let mut room = PathBuffers::new();
    let (code, _) = request(call, env, plan, option, kept, &mut used, &mut room)?;
    if code != 0 {
        return Ok(code);
    }
    let variable = finish(kept, begin, used);
    let variable = variable.ok_or_else(unfit)?;
    start(call, env, plan, Some(Arg::new(variable)))
}

/// Sends the request for an option, and keeps the reply.
#[inline(never)]
fn request<'a>(
    call: &Call,
    env: Env<'static>,
    plan: &Plan,
    [option, name]: [&[u8]; 2],
    kept: &mut [u8],
    used: &mut usize,
    room: &'a mut PathBuffers,
) -> Result<(u8, SplitPath<'a>), Exit> {
    let words: [&[u8]; 4] = [b"exec", option, name, plan.profile.unwrap_or_default()];
    let words = words
        .get(..if plan.profile.is_some() { 4 } else { 3 })
        .unwrap_or_default();
    let sink = Sink::Kept { room: kept, used };
    ask_somewhere(call, Arguments::Fixed(words), env, sink, room)
}

/// Converts `NAME=token` to a C string: drops one final newline; the token must be printable and not empty.
fn finish(room: &mut [u8], begin: usize, used: usize) -> Option<&CStr> {
    let token = one_line(room.get(begin..used)?)?;
    let end = begin + token.len();
    if token.is_empty() {
        return None;
    }
    *room.get_mut(end)? = 0;
    CStr::from_bytes_with_nul(room.get(..=end)?).ok()
}

/// Finds the daemon, so that JETON_SOCKET is correct, and replaces this process by the command.
#[inline(never)]
fn start(
    call: &Call,
    env: Env<'static>,
    plan: &Plan,
    token: Option<Arg<'static>>,
) -> Result<u8, Exit> {
    let mut room = PathBuffers::new();
    let mut answer = [0; LONGEST_NAME];
    let mut used = 0;
    let place = match plan.file {
        None => {
            let places = Places::tokens(call, env, &mut room);
            places.connect(&deadline_of(call), false)?.1
        }
        Some(name) => {
            let option = [FILE_OPTION, name];
            let (code, place) =
                request(call, env, plan, option, &mut answer, &mut used, &mut room)?;
            if code != 0 {
                return Ok(code);
            }
            place
        }
    };
    let socket = socket_variable(SOCKET.take()?, place)?;
    let file = match plan.file {
        None => None,
        Some(name) => Some(file_variable(
            FILE.take()?,
            name,
            socket,
            answer.get(..used),
        )?),
    };
    let profile = match plan.profile {
        None => None,
        Some(name) => Some(
            c_string(PROFILE.take()?, &[b"JETON_PROFILE=", name, b"\0"]).ok_or_else(too_long)?,
        ),
    };
    let list = VARIABLES.take()?;
    let ours = [Some(socket), profile, token, file];
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

/// Writes JETON_SOCKET with an absolute path, since the child may run in another folder. The path is not normalised,
/// since a `..` may follow a link.
fn socket_variable<'a>(room: &'a mut [u8], place: SplitPath<'_>) -> Result<Arg<'a>, Exit> {
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
        &[SOCKET_NAME, folder, slash, place.base, place.tail, b"\0"],
    )
    .ok_or_else(too_long)
}

/// Writes `NAME=PATH`. The reply is relative to the socket's folder, which may have another path in a container.
fn file_variable<'a>(
    room: &'a mut [u8],
    name: &[u8],
    socket: Arg<'_>,
    answer: Option<&[u8]>,
) -> Result<Arg<'a>, Exit> {
    let last = socket.bytes().iter().rposition(|&byte| byte == b'/');
    let folder = last.and_then(|last| socket.bytes().get(SOCKET_NAME.len()..=last));
    match (folder, answer.and_then(one_line)) {
        (Some(folder), Some(path @ [first, ..])) if *first != b'/' => {
            c_string(room, &[name, b"=", folder, path, b"\0"]).ok_or_else(too_long)
        }
        _ => Err(unfit()),
    }
}

#[cold]
#[inline(never)]
fn unfit() -> Exit {
    complain(
        FAILED,
        &[b"the daemon's answer holds no token and no path that fits an environment variable"],
    )
}

fn too_long() -> Exit {
    complain(USAGE, &[b"an argument is too long"])
}

/// Joins the parts to a C string. The last part must end with the only zero byte.
#[inline(never)]
fn c_string<'a>(room: &'a mut [u8], parts: &[&[u8]]) -> Option<Arg<'a>> {
    CStr::from_bytes_with_nul(join(room, parts)?)
        .ok()
        .map(Arg::new)
}
