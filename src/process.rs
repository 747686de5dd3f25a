//! What this process was started with and has started: its signals, its children, and its program.

pub mod children;
pub mod program;
pub mod signals;
