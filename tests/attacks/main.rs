//! Attacks by hostile users, hostile issuers and replaced files, with the real programs and, where needed, real users.
//! A test that needs root prints a message when another user runs it. Attacks with a long load are in
//! `benches/attacks`.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::disallowed_methods,
    reason = "tests panic on an unexpected result, and wait and measure in real time"
)]

#[path = "../support/support.rs"]
#[expect(
    dead_code,
    reason = "the helpers are shared; the suite uses and tests all of them"
)]
mod support;

mod addresses;
mod ca_file;
mod demand;
mod echo;
mod endpoint;
mod imports;
mod impostor;
mod issuers;
mod memory;
mod mutation;
mod places;
#[cfg(target_os = "linux")]
mod process_memory;
mod removal;
mod reports;
#[cfg(target_os = "linux")]
mod secrets_in_memory;
mod smuggling;
mod system_roots;
mod web_pages;
