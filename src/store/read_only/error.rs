//! The reasons why a source gave no credential, and their remedies.

use std::fmt;

use crate::credential::InvalidCredential;
use crate::process::bounded::RunError;
use crate::trust::{UntrustedPath, is_passing};

/// The part of a credential that a source gives.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Part {
    /// The client ID.
    ClientId,
    /// The client secret.
    ClientSecret,
}

/// The reason why this daemon runs no command for a secret: it would have rights that no user's program should have.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NoCommands {
    /// The daemon is root's.
    Root,
    /// The daemon is a service of the machine.
    SystemUnit,
}

/// The reason why a source gave no credential. It never quotes the source's content.
#[derive(Debug)]
pub enum SourceError {
    /// Its file or its program, or a folder or link that leads to it, cannot be read or is not trusted.
    Untrusted(UntrustedPath),
    /// Its content is not a client ID or a client secret.
    Invalid(Part, InvalidCredential),
    /// Its content has quotes, spaces or a name around it; the text describes them.
    Around(Part, String),
    /// Another program keeps replacing the file of the client ID.
    Changing,
    /// systemd has passed no credentials to this process, so the one of this name is missing.
    NotPassed(String),
    /// No command may run here.
    NoCommands(NoCommands),
    /// The command with this program failed.
    Command(String, RunError),
}

// === impl Part ===

impl Part {
    /// The key of the configuration that names the source.
    pub(super) const fn key(self) -> &'static str {
        match self {
            Self::ClientId => "client-id",
            Self::ClientSecret => "client-secret",
        }
    }

    const fn noun(self) -> &'static str {
        match self {
            Self::ClientId => "client ID",
            Self::ClientSecret => "client secret",
        }
    }
}

// === impl SourceError ===

impl SourceError {
    /// Whether a retry may succeed without a repair.
    pub fn is_passing(&self) -> bool {
        match self {
            Self::Untrusted(untrusted) => untrusted.is_passing(),
            Self::Command(_, RunError::Ending) | Self::Changing => true,
            Self::Command(_, why) => why.system().is_some_and(is_passing),
            Self::Invalid(..) | Self::Around(..) | Self::NotPassed(_) | Self::NoCommands(_) => {
                false
            }
        }
    }

    /// Whether the source's command ran before this error.
    pub(in super::super) const fn is_after_a_run(&self) -> bool {
        match self {
            Self::Command(_, why) => !matches!(why, RunError::Ending | RunError::Start(_)),
            Self::Invalid(part, _) | Self::Around(part, _) => matches!(part, Part::ClientSecret),
            Self::Untrusted(_) | Self::Changing | Self::NotPassed(_) | Self::NoCommands(_) => false,
        }
    }
}

impl fmt::Display for NoCommands {
    /// A clause, for the middle of a sentence.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Root => "this daemon is root's",
            Self::SystemUnit => "this daemon is a service of the machine",
        })
    }
}

impl fmt::Display for SourceError {
    /// A text that follows the key that names the source.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Untrusted(untrusted) => untrusted.fmt(f),
            Self::Invalid(part, InvalidCredential::Empty) => {
                write!(
                    f,
                    "its source gives nothing, where a {} should be",
                    part.noun()
                )
            }
            Self::Invalid(part, why) => {
                write!(f, "its source returned an invalid {}: {why}", part.noun())
            }
            Self::Around(part, around) => write!(
                f,
                "the {} that its source gives has {around}, as if copied with it; remove that there",
                part.noun()
            ),
            Self::Changing => f.write_str("another program is replacing it: try again"),
            Self::NotPassed(name) => write!(
                f,
                "systemd has passed no credentials to this process: name it in the service's unit with LoadCredential={name}:/PATH and restart the service"
            ),
            Self::NoCommands(why) => write!(
                f,
                "no command is run for a secret, since {why}: only a daemon that a user runs does; use {{ file = … }} or {{ systemd-credential = … }}"
            ),
            Self::Command(program, why) => {
                write!(f, "the command {program} {why}")?;
                match why {
                    RunError::Failed(_) => f.write_str(
                        "; run it by hand, with no more of the environment than HOME, PATH, XDG_*, SSH_AUTH_SOCK and DBUS_SESSION_BUS_ADDRESS",
                    ),
                    _ => Ok(()),
                }
            }
        }
    }
}

impl std::error::Error for SourceError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Untrusted(untrusted) => std::error::Error::source(untrusted),
            Self::Invalid(..)
            | Self::Around(..)
            | Self::Changing
            | Self::NotPassed(_)
            | Self::NoCommands(_)
            | Self::Command(..) => None,
        }
    }
}
