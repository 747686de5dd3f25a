//! Why a source gave no credential, and what a person can do about it.

use std::fmt;

use crate::certificates::CaFileError;
use crate::credential::InvalidCredential;
use crate::trust::Untrusted;

/// The part of a credential that a source gives.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Part {
    /// The client ID.
    ClientId,
    /// The client secret.
    ClientSecret,
}

/// Why a source gave no credential. It never quotes what the source gave.
#[derive(Debug)]
pub enum SourceError {
    /// Its file, or a folder or link that leads to it, cannot be read or is not trusted.
    Untrusted(Untrusted),
    /// What it gives is no client ID or no client secret.
    Invalid(Part, InvalidCredential),
    /// The CA file of the profile cannot be used.
    Ca(CaFileError),
    /// This version cannot read it.
    Unsupported(String),
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
            Self::Ca(error) => error.is_passing(),
            Self::Invalid(..) | Self::Unsupported(_) => false,
        }
    }
}

impl fmt::Display for SourceError {
    /// To follow the key that names the source.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Untrusted(untrusted) => untrusted.fmt(f),
            Self::Invalid(part, why) => {
                write!(f, "its source gives no {}: {why}", part.noun())
            }
            Self::Ca(error) => error.fmt(f),
            Self::Unsupported(source) => write!(f, "{source} cannot be read by this version"),
        }
    }
}

impl std::error::Error for SourceError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Untrusted(untrusted) => std::error::Error::source(untrusted),
            Self::Ca(error) => std::error::Error::source(error),
            Self::Invalid(..) | Self::Unsupported(_) => None,
        }
    }
}
