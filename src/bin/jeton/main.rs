//! `jeton`, the companion: one request to the daemon from its arguments, one exit code from the answer.
//!
//! It is a pipe with no opinions: every format lives in the daemon. On x86_64 Linux it is static and without a C library, so that the
//! same file runs in any container image; elsewhere the same body starts from a C `main`.
//!
//! ```text
//! sys ─▶ main ─▶ args ─▶ places ─▶ request ─▶ http ─▶ answer ─▶ output
//!          ├───▶ help (its own text where no daemon answers) └────▶ problem
//!          └───▶ exec (replaces the process)
//! ```
#![no_std]
#![no_main]

mod answer;
mod args;
mod ask;
mod bytes;
mod deadline;
mod exec;
mod help;
mod http;
mod input;
mod output;
mod places;
mod problem;
mod request;
mod sys;
mod text;

use answer::Sink;
use args::Call;
use output::{Exit, complain};
use sys::{Arg, Env};

/// The body of the program, called once by the start-up code of `sys`. The result is the exit code.
fn run(argv: &'static [Option<Arg<'static>>], env: Env<'static>) -> u8 {
    match dispatch(argv, env) {
        Ok(code) | Err(Exit(code)) => code,
    }
}

/// What needs no daemon, then `exec`, then everything else: verbs that the companion does not know are the daemon's.
fn dispatch(argv: &'static [Option<Arg<'static>>], env: Env<'static>) -> Result<u8, Exit> {
    let call = Call::parse(argv)?;
    // A command that takes our place must find the signal as we did.
    if call.verb() != Some(b"exec") {
        sys::ignore_broken_pipes();
    }
    match call.verb() {
        None if call.is_jeton => {
            output::stderr(text::HELP.as_bytes());
            Ok(output::USAGE)
        }
        Some(b"help" | b"--help" | b"-h") => help::print(&call, request::Words::Given(&call), env),
        Some(b"version" | b"--version" | b"-V") => {
            output::stdout(text::VERSION.as_bytes()).map(|()| 0)
        }
        Some(b"exec") => exec::run(&call, env),
        _ => ask::ask(&call, request::Words::Given(&call), env, Sink::Stdout),
    }
}

/// Nothing here is meant to panic; if it does, that is a fault of the program, and no success.
#[panic_handler]
fn panic(_: &core::panic::PanicInfo<'_>) -> ! {
    let Exit(code) = complain(output::FAILED, &[b"internal error"]);
    sys::exit(code)
}
