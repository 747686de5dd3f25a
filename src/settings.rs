//! The configuration as a file: read for the daemon and for the commands, and written whole or not at all.

use std::path::Path;
use std::time::Duration;

use crate::config::{self, Config};
use crate::trust;

mod config_error;
mod found;
mod identity;
mod lock;
pub mod name_service;
pub mod names;
mod write;

pub use config_error::{ConfigError, MissingReason};
pub use found::{ConfigFile, Content};
pub use identity::{real_path, source_id};
pub use lock::{ConfigLock, LockError, lock_config};
pub use write::{FileReaders, WriteError, write_config};

/// How long reading a configuration may wait for the numbers of all its names. The name service may have to query
/// another machine, and a start or a reload waits for it.
const NAMES: Duration = Duration::from_secs(2);

/// Reads the configuration at `path`, and looks up its users and groups. The caller decides whether the file may be
/// missing: see [`ConfigFile`].
///
/// # Errors
/// [`ConfigError`], whose lines name every fault.
pub fn read(path: &Path, uid: u32) -> Result<ConfigFile, ConfigError> {
    match trust::open_config(path, uid) {
        Ok(bytes) => {
            let parsed = config::parse_bytes(&bytes, &name_service::NameLookup::within(NAMES));
            let config = parsed.map_err(|faults| ConfigError::Faults {
                path: path.to_owned(),
                faults,
            })?;
            Ok(ConfigFile {
                config,
                content: Content::of(&bytes),
                // A text that is not UTF-8 has a fault.
                text: String::from_utf8(bytes).unwrap_or_default(),
            })
        }
        Err(untrusted) if untrusted.is_missing() => Ok(ConfigFile {
            config: Config::default(),
            content: Content::missing(path),
            text: String::new(),
        }),
        Err(untrusted) => Err(ConfigError::File(untrusted)),
    }
}
