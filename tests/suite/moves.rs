//! Moving a credential from one place to another: at every moment it is in force in one of them.

mod bad_stores;
mod export;
mod migrate;
mod rotating;
