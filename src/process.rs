//! The signals, the children and the program of this process.

pub mod children;
pub mod dispositions;
pub mod program;
