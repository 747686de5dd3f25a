//! daemon

pub mod clock;
pub mod connections;
mod flight;
mod guard;
pub mod handle;
pub mod keeper;
pub mod peers;
mod respond;
pub mod roster;
mod routes;
pub mod server;
pub mod service;
pub mod stream;
#[cfg(test)]
mod testing;
