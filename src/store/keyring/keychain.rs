//! macOS: the login keychain of the user. Not yet run.

use std::time::Duration;

use apple_native_keyring_store::keychain::Store;
use keyring::Entry;
use keyring_core::api::CredentialStoreApi as _;

use super::KeyringFault;

/// What the system calls its keyring.
pub(super) const NAME: &str = "Keychain";

/// The entry of a profile of this service. A locked keychain makes the system ask the person, so the limit is all there is.
pub(super) fn open(service: &str, profile: &str, _limit: Duration) -> Result<Entry, KeyringFault> {
    let store = Store::new().map_err(|error| KeyringFault::of(&error))?;
    let inner = store
        .build(service, profile, None)
        .map_err(|error| KeyringFault::of(&error))?;
    Ok(Entry { inner })
}
