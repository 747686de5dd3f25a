//! What this process was started with and has started: its signals, and its children.

pub mod children;
pub mod signals;
