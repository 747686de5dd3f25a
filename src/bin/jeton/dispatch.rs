//! Dispatches a call to the part of the program that handles it.

use crate::answer::Sink;
use crate::args::Call;
use crate::output::{self, Exit};
use crate::sys::{self, Arg, Env};
use crate::{ask, exec, help, line, request, text};

/// Runs the whole program, and returns the exit code. `start` calls it once.
pub(crate) fn run(argv: &'static [Option<Arg<'static>>], env: Env<'static>) -> u8 {
    match dispatch(argv, env) {
        Ok(code) | Err(Exit(code)) => code,
    }
}

/// Handles calls that need no daemon, then `exec`, then everything else: the daemon handles verbs that the companion
/// does not know.
fn dispatch(argv: &'static [Option<Arg<'static>>], env: Env<'static>) -> Result<u8, Exit> {
    let call = Call::parse(argv)?;
    // A command that replaces the companion must inherit the signal disposition unchanged.
    if call.verb() != Some(b"exec") {
        sys::ignore_broken_pipes();
    }
    match call.verb() {
        None if call.is_jeton => {
            output::stderr(text::HELP.as_bytes());
            Ok(output::USAGE)
        }
        Some(b"help" | b"--help" | b"-h") => {
            help::print(&call, request::Arguments::Given(&call), env)
        }
        Some(b"version" | b"--version" | b"-V") if !call.asks_for_help() => {
            output::stdout(text::VERSION.as_bytes()).map(|()| 0)
        }
        Some(b"exec") => exec::run(&call, env),
        _ if call.asks_for_help() => {
            let call = help::patient(&call);
            ask::ask(&call, request::Arguments::Given(&call), env, Sink::Stdout)
        }
        verb if line::is_for(verb) => line::print(&call, env),
        _ => ask::ask(&call, request::Arguments::Given(&call), env, Sink::Stdout),
    }
}
