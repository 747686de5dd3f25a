//! `jeton`, the companion: sends one request with its arguments to the daemon, and exits with the code in the reply.
//!
//! It only carries bytes: every format is in the daemon. On x86_64 Linux it is static and without a C library, so that
//! the same file runs in any container image. On other systems the same code starts from a C `main`.
//!
//! ```text
//! start ─▶ dispatch ─▶ args ─▶ places ─▶ request ─▶ http ─▶ answer ─▶ output
//!              ├───▶ line (a token, shown whole or not at all)   └────▶ problem
//!              ├───▶ help (its own text where no daemon answers)
//!              └───▶ exec (replaces the process)
//! ```
#![no_std]
#![no_main]

mod answer;
mod args;
mod ask;
mod bytes;
mod deadline;
mod dispatch;
mod exec;
mod help;
mod http;
mod input;
mod line;
mod output;
mod places;
mod plain;
mod problem;
mod request;
#[path = "sys/start.rs"]
mod start;
mod sys;
mod text;

use output::{Exit, complain};

/// Reports a panic. Nothing here is meant to panic: it is a bug, so it must not end with a success code.
#[panic_handler]
fn panic(_: &core::panic::PanicInfo<'_>) -> ! {
    let Exit(code) = complain(output::FAILED, &[b"internal error"]);
    sys::exit(code)
}
