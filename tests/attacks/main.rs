//! Attacks: what a hostile neighbour, a hostile issuer or an exchanged file tries, each with real programs and, where it
//! takes them, real users. A test that needs root says so where it is run by another user. What takes a long load is in
//! `benches/attacks`.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::disallowed_methods,
    reason = "a test that meets the unexpected fails by panicking, and waits and measures in real time"
)]

#[path = "../support/support.rs"]
#[expect(
    dead_code,
    reason = "they are the suite's, which uses more of them and tests them"
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
