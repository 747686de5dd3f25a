//! What the tests share: a hermetic place with both programs, a sandbox, and a search for secrets in all that came out.
#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::disallowed_methods,
    reason = "helpers of tests, which stop at the first surprise as tests do, and which wait"
)]

pub(crate) mod daemon;
mod document;
pub(crate) mod ends;
pub(crate) mod env;
#[cfg(target_os = "linux")]
pub(crate) mod fuse;
pub(crate) mod http;
#[cfg(target_os = "linux")]
pub(crate) mod keyring;
pub(crate) mod leaks;
pub(crate) mod manager;
pub(crate) mod mounts;
pub(crate) mod pty;
pub(crate) mod scripts;
mod signals;
pub(crate) mod tools;
pub(crate) mod users;
pub(crate) mod wire;

pub(crate) use env::TestEnv;

/// Says that a test leaves something out, because this machine lacks what it needs. It is written past libtest, which
/// keeps what tests print: `.ci/run` fails on such a line, and whoever runs `cargo test` sees it.
pub(crate) fn ignored(why: &str) {
    use std::io::Write as _;
    // Without a standard error there is nobody to tell.
    let _ = writeln!(std::io::stderr(), "\nIGNORED: {why}");
}

/// The wall clock in seconds.
pub(crate) fn unix_now() -> u64 {
    let now = std::time::SystemTime::now();
    now.duration_since(std::time::UNIX_EPOCH).unwrap().as_secs()
}
