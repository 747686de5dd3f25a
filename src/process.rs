//! The process itself: hardening, log, signals, children, service manager, and user rights.

pub mod bounded;
pub mod children;
pub mod crash_loop;
pub mod dispositions;
pub mod episode;
pub mod hardening;
pub mod logging;
pub mod manager;
pub mod notify;
pub mod parent;
pub mod program;
pub mod signals;
pub mod user;
pub mod watched;
