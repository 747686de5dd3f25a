//! The signals, the children and the program of this process.

pub mod children;
pub mod program;
pub mod signals;
