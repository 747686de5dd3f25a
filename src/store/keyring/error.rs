//! What the errors of the keyring crates mean.

#[cfg(target_os = "macos")]
use std::error::Error;

use super::fault::KeyringFault;

#[cfg(not(target_os = "macos"))]
use self::bus::fault;

#[cfg(not(target_os = "macos"))]
mod bus;

impl KeyringFault {
    /// What the keyring crates say, less their texts.
    pub(super) fn of(error: &keyring::Error) -> Self {
        match error {
            keyring::Error::Ambiguous(_) => Self::Ambiguous,
            // That there is a default collection was seen just before; so it was locked since.
            keyring::Error::NoStorageAccess(_) => Self::Locked,
            keyring::Error::PlatformFailure(source) => fault(source.as_ref()),
            keyring::Error::NoEntry => Self::Failed("the entry has gone".into()),
            keyring::Error::TooLong(..) => Self::Failed("the record is too long for it".into()),
            _ => Self::Failed("an answer that is not understood".into()),
        }
    }
}

/// What a failure of the Keychain means.
#[cfg(target_os = "macos")]
fn fault(_error: &(dyn Error + 'static)) -> KeyringFault {
    KeyringFault::Failed("the Keychain refused".into())
}
