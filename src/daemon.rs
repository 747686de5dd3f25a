//! daemon

pub mod clock;
pub mod connections;
mod flight;
mod guard;
pub mod handle;
pub mod hardening;
pub mod keeper;
pub mod listener;
pub mod logging;
pub mod peers;
mod respond;
pub mod roster;
mod routes;
pub mod server;
pub mod service;
pub mod signals;
pub mod stream;
#[cfg(test)]
mod testing;
