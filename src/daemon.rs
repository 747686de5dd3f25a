//! daemon

pub mod clock;
mod flight;
pub mod handle;
pub mod keeper;
#[cfg(test)]
mod testing;
