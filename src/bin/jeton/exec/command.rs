//! Replaces this process by a command, like execvp(3).

use core::ffi::CStr;

use crate::bytes::join;
use crate::output::{Exit, complain, complain_of};
use crate::places::PATH_MAX;
use crate::sys::{self, Arg, Env, Errno, StaticBuffer, errno};

/// As in env(1): the command was found but cannot be executed.
const CANNOT_RUN: u8 = 126;
/// As in env(1): the command does not exist.
const NOT_FOUND: u8 = 127;

/// The most pointers to pass on. With strings of the usual length, more would exceed a quarter of the usual stack.
pub(super) const POINTERS: usize = 32 * 1024;

/// A list of C strings that ends with a null pointer.
pub(super) type List = [Option<Arg<'static>>; POINTERS];

/// The arguments of the shell.
static ARGUMENTS: StaticBuffer<List> = StaticBuffer::new([None; POINTERS]);
/// The script that the shell runs.
static SCRIPT: StaticBuffer<[u8; PATH_MAX]> = StaticBuffer::new([0; PATH_MAX]);

/// Fills the list and leaves at least one null pointer at the end.
pub(super) fn fill(list: &mut List, args: impl Iterator<Item = Arg<'static>>) -> Result<(), Exit> {
    let mut slots = list.iter_mut().take(POINTERS - 1);
    for arg in args {
        match slots.next() {
            Some(slot) => *slot = Some(arg),
            None => {
                return Err(complain(
                    CANNOT_RUN,
                    &[b"the environment or the arguments have too many entries"],
                ));
            }
        }
    }
    Ok(())
}

/// Works like execvp(3): searches PATH for a name without a slash. Returns only on failure.
pub(super) fn become_command(
    command: &'static [Option<Arg<'static>>],
    env: Env<'static>,
    variables: &List,
) -> Exit {
    let name = command
        .first()
        .copied()
        .flatten()
        .map_or(b"".as_slice(), Arg::bytes);
    // An empty PATH is a list with one empty element; without PATH, the C library's default applies.
    let path = env.get_even_empty(b"PATH").unwrap_or(b"/bin:/usr/bin");
    let (folders, slash): (&[u8], &[u8]) = if name.contains(&b'/') {
        (b"", b"")
    } else {
        (path, b"/")
    };
    let mut worst = errno::ENOENT;
    for folder in folders.split(|&byte| byte == b':') {
        // An empty element means the current folder.
        let slash = if folder.is_empty() { b"" } else { slash };
        let mut room = [0; PATH_MAX];
        let Some(file) =
            join(&mut room, &[folder, slash, name, b"\0"]).filter(|_| !name.is_empty())
        else {
            continue;
        };
        let Ok(file) = CStr::from_bytes_with_nul(file) else {
            continue;
        };
        match try_file(file, command, variables) {
            Ok(errno::ENOENT | errno::ENOTDIR) => {}
            Ok(errno::EACCES) => worst = errno::EACCES,
            Ok(error) => {
                worst = error;
                break;
            }
            Err(exit) => return exit,
        }
    }
    match worst {
        errno::ENOENT => complain(NOT_FOUND, &[b"exec: ", name, b": not found"]),
        errno::EACCES => complain(CANNOT_RUN, &[b"exec: ", name, b": permission denied"]),
        errno::ENOEXEC => complain(CANNOT_RUN, &[b"exec: ", name, b": not a program"]),
        errno::E2BIG => complain(
            CANNOT_RUN,
            &[b"exec: ", name, b": too many arguments or variables"],
        ),
        error => complain_of(CANNOT_RUN, &[b"exec: ", name, b": "], error),
    }
}

/// Executes a file. If the kernel does not know its format, it is taken as a shell script without a `#!` line.
fn try_file(
    file: &CStr,
    command: &'static [Option<Arg<'static>>],
    variables: &List,
) -> Result<Errno, Exit> {
    match sys::execve(file, command, variables) {
        errno::ENOEXEC => with_shell(file, command, variables),
        error => Ok(error),
    }
}

fn with_shell(
    file: &CStr,
    command: &'static [Option<Arg<'static>>],
    variables: &List,
) -> Result<Errno, Exit> {
    const SHELL: &CStr = c"/bin/sh";
    let script = join(SCRIPT.take()?, &[file.to_bytes_with_nul()]);
    let Some(Ok(script)) = script.map(CStr::from_bytes_with_nul) else {
        return Ok(errno::ENOEXEC);
    };
    let list = ARGUMENTS.take()?;
    let rest = command.iter().skip(1).copied().flatten();
    fill(
        list,
        [Arg::new(SHELL), Arg::new(script)].into_iter().chain(rest),
    )?;
    // Without a shell, report that the file cannot be executed.
    match sys::execve(SHELL, list, variables) {
        errno::ENOENT => Ok(errno::ENOEXEC),
        error => Ok(error),
    }
}
