//! Converts errors of the keyring crates.

#[cfg(target_os = "macos")]
use std::error::Error;

use super::fault::KeyringFault;

#[cfg(not(target_os = "macos"))]
use self::bus::fault;

#[cfg(not(target_os = "macos"))]
mod bus;

impl KeyringFault {
    /// Converts an error of the keyring crates, without its text.
    pub(super) fn of(error: &keyring::Error) -> Self {
        match error {
            keyring::Error::Ambiguous(_) => Self::Ambiguous,
            // The default collection was checked just before, so it must have been locked since.
            keyring::Error::NoStorageAccess(_) => Self::Locked,
            keyring::Error::PlatformFailure(source) => fault(source.as_ref()),
            keyring::Error::NoEntry => Self::Failed("the entry has gone".into()),
            keyring::Error::TooLong(..) => Self::Failed("the record is too long for it".into()),
            _ => Self::Failed("an answer that is not understood".into()),
        }
    }
}

/// Converts a failure of the Keychain.
#[cfg(target_os = "macos")]
fn fault(_error: &(dyn Error + 'static)) -> KeyringFault {
    KeyringFault::Failed("the Keychain refused".into())
}
