//! Reason why a daemon did not start, or had to end.

use std::fmt;
use std::io;

use super::sockets::LostSocket;
use super::sockets::activation::ActivationError;
use super::sockets::listen_error::ListenError;
use crate::process::hardening;
use crate::settings::ConfigError;

/// Reason why a daemon did not start, or had to end.
#[derive(Debug)]
pub enum StartError {
    /// The configuration is invalid or cannot be read.
    Config(ConfigError),
    /// A socket cannot be served.
    Listen(ListenError),
    /// A passed socket cannot be served.
    Passed(ActivationError),
    /// A socket is missing and cannot be created again.
    Lost(LostSocket),
    /// A system call failed.
    Io(io::Error),
}

// === impl StartError ===

impl fmt::Display for StartError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Config(unusable) => unusable.fmt(f),
            Self::Listen(error) => error.fmt(f),
            Self::Passed(error) => error.fmt(f),
            Self::Lost(lost) => lost.fmt(f),
            Self::Io(error) => write!(
                f,
                "the system refused to start it: {error}{}",
                hardening::remedy(error)
            ),
        }
    }
}

impl std::error::Error for StartError {}
