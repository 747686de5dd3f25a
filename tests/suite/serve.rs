//! What the sockets serve, by path and by the companion.
#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "helpers of tests, which stop at the first surprise as tests do"
)]

mod companion;
mod http;
mod oauth2;
mod problems;
mod refresh;
mod reject;
mod reload;
mod states;
mod token;
mod verbs;
mod wire;

use serde_json::Value;

/// The names of an object's members, sorted.
fn members(object: &Value) -> Vec<&str> {
    object
        .as_object()
        .unwrap()
        .keys()
        .map(String::as_str)
        .collect()
}

/// The wall clock in seconds.
fn unix_now() -> u64 {
    #[expect(
        clippy::disallowed_methods,
        reason = "a test compares with the clock that people have"
    )]
    let now = std::time::SystemTime::now();
    now.duration_since(std::time::UNIX_EPOCH).unwrap().as_secs()
}
