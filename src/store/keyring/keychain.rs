//! macOS: the login keychain of the user. Not yet run.

use std::error::Error;
use std::time::Duration;

use apple_native_keyring_store::keychain::Store;
use keyring::Entry;
use keyring_core::api::CredentialStoreApi as _;

use super::{KeyringFault, SERVICE};

/// What the system calls its keyring.
pub(super) const NAME: &str = "Keychain";

/// The entry of a profile. A locked keychain makes the system ask the person, so the limit is all there is.
pub(super) fn open(profile: &str, _limit: Duration) -> Result<Entry, KeyringFault> {
    let store = Store::new().map_err(|error| KeyringFault::of(&error))?;
    let inner = store
        .build(SERVICE, profile, None)
        .map_err(|error| KeyringFault::of(&error))?;
    Ok(Entry { inner })
}

/// What a failure of the system means.
pub(super) fn fault(_error: &(dyn Error + 'static)) -> KeyringFault {
    KeyringFault::Failed("the Keychain refused".into())
}
