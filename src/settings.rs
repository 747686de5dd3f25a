//! The configuration as a file: read for the daemon and for the commands, and written whole or not at all.

use std::fmt;
use std::path::{Path, PathBuf};

use crate::causes::Causes;
use crate::config::{self, Config, ConfigFault};
use crate::trust::{self, Untrusted};

mod write;

pub use write::{Readers, WriteError, write_config};

/// Why there is no valid configuration.
#[derive(Debug)]
pub enum Unusable {
    /// The file cannot be read, or not be trusted.
    File(Untrusted),
    /// The file has faults.
    Faults {
        /// The file.
        path: PathBuf,
        /// All of them, by place.
        faults: Vec<ConfigFault>,
    },
}

/// Reads the configuration at `path`; a file that is not there is a configuration without profiles.
///
/// # Errors
/// [`Unusable`], whose lines say every fault.
pub fn read(path: &Path, uid: u32) -> Result<Config, Unusable> {
    match trust::open_config(path, uid) {
        Ok(bytes) => config::parse_bytes(&bytes).map_err(|faults| Unusable::Faults {
            path: path.to_owned(),
            faults,
        }),
        Err(untrusted) if untrusted.is_missing() => Ok(Config::default()),
        Err(untrusted) => Err(Unusable::File(untrusted)),
    }
}

// === impl Unusable ===

impl Unusable {
    /// One line for each fault.
    pub fn lines(&self) -> Vec<String> {
        match self {
            Self::File(untrusted) => vec![Causes(untrusted).to_string()],
            Self::Faults { path, faults } => faults
                .iter()
                .map(|fault| format!("{}:{fault}", path.display()))
                .collect(),
        }
    }
}

impl fmt::Display for Unusable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.lines().join("\n"))
    }
}

impl std::error::Error for Unusable {}
