//! The profiles in a file, and the reasons why its content is refused.

use std::collections::BTreeMap;
use std::fmt;

use url::Url;

use crate::config::{Provider, Proxy};
use crate::profile::ProfileName;
use crate::store::Key;

/// The version of the format that this program writes and reads.
pub(super) const VERSION: u64 = 1;

/// Largest content, in bytes. It fits a thousand profiles, or forty with the largest CA files.
pub const MAX_LEN: usize = 16 * 1024 * 1024;

/// The profiles in an export file.
pub type Exported = BTreeMap<ProfileName, ExportedProfile>;

/// A profile in a file: its credential, and what the credential was enrolled for.
#[derive(Debug)]
pub struct ExportedProfile {
    /// The issuer, its address, and what is requested from it.
    pub provider: Provider,
    /// The exact address that the secret may be sent to.
    pub endpoint: Url,
    /// The only certificates to trust, in PEM form; `None` means the system's.
    pub ca: Option<String>,
    /// How to reach the issuer.
    pub proxy: Proxy,
    /// The credential. It is marked as shared unless the exporting machine removed its own copy.
    pub key: Key,
}

/// Reason why a content is refused. Never quotes a value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum InvalidContent {
    /// The content is something else.
    NotOurs,
    /// A later version of the program wrote it.
    Version(u64),
    /// It contains this field, which is not part of the format.
    UnknownField(String),
    /// The name of a profile is invalid or occurs twice.
    Name,
    /// This profile has a fault.
    Profile {
        /// The profile.
        name: ProfileName,
        /// The problem.
        what: String,
    },
}

// === impl InvalidContent ===

impl fmt::Display for InvalidContent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotOurs => f.write_str("it holds no profiles that 'jetond export' has written"),
            Self::Version(version) => write!(
                f,
                "it is of version {version}, and this program knows version {}: use the program that wrote it, or a later one",
                VERSION
            ),
            Self::UnknownField(field) => write!(
                f,
                "it has an unexpected field ({field}): 'jetond export' does not write such a file"
            ),
            Self::Name => f.write_str("the name of a profile in it is not valid, or there twice"),
            Self::Profile { name, what } => write!(f, "{name}: {what}"),
        }
    }
}

impl std::error::Error for InvalidContent {}
