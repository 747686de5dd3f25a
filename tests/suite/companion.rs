//! The companion program against a scripted daemon, in an environment of its own.
#![expect(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "test helpers panic on an unexpected result, as tests do"
)]

mod admin;
mod answers;
mod daemon;
mod execs;
mod fixtures;
mod help;
mod local;
mod one_line;
mod reach;
mod requests;
mod run;
mod secrets;
mod stack;
