//! A credential moves from one place to another, and is in force in one of them at every moment.

mod bad_stores;
mod export;
mod migrate;
mod rotating;
