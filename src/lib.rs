//! Jeton keeps bearer tokens fresh and serves them to local processes.
#![forbid(unsafe_code)]

pub mod cli;
pub mod config;
pub mod credential;
pub mod daemon;
pub mod dialect;
pub mod fault;
mod folder;
pub mod instant;
pub mod lifecycle;
pub mod paths;
pub mod policy;
pub mod problem;
pub mod profile;
pub mod provider;
pub mod sandbox;
pub mod schedule;
pub mod settings;
pub mod store;
pub mod token;
pub mod trust;
pub mod wire;

#[global_allocator]
static ALLOCATOR: zeroizing_alloc::ZeroAlloc<std::alloc::System> =
    zeroizing_alloc::ZeroAlloc(std::alloc::System);
