//! Requests on the sockets, by path and through the companion.
#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "test helpers panic on an unexpected result, as tests do"
)]

mod companion;
mod http;
mod many;
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

use crate::support::unix_now;

/// Returns the names of an object's members, sorted.
fn members(object: &Value) -> Vec<&str> {
    object
        .as_object()
        .unwrap()
        .keys()
        .map(String::as_str)
        .collect()
}
