//! Shared test code: a hermetic environment with both programs, a sandbox, and a search for leaks in all output.
#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::disallowed_methods,
    reason = "test helpers panic on an unexpected result, and wait in real time"
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

/// Reports that a test skips something, because this machine lacks what it needs. Written to stderr directly, because
/// libtest captures what tests print. `.ci/run` fails on such a line, and a developer who runs `cargo test` sees it.
pub(crate) fn ignored(why: &str) {
    use std::io::Write as _;
    // Without a standard error there is no way to report it.
    let _ = writeln!(std::io::stderr(), "\nIGNORED: {why}");
}

/// Returns the wall clock in seconds.
pub(crate) fn unix_now() -> u64 {
    let now = std::time::SystemTime::now();
    now.duration_since(std::time::UNIX_EPOCH).unwrap().as_secs()
}
