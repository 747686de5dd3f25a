//! macOS: the user's login keychain. Not yet tested.

use std::io;
use std::time::Duration;

use apple_native_keyring_store::keychain::Store;
use keyring::Entry;
use keyring_core::api::CredentialStoreApi as _;

use super::KeyringFault;
use super::signal::Signal;

/// The system's name for its keyring.
pub(super) const NAME: &str = "Keychain";

/// Opens the entry of a profile. The system prompts the person if the keychain is locked, so only the time limit helps.
pub(super) fn open(service: &str, profile: &str, _limit: Duration) -> Result<Entry, KeyringFault> {
    let store = Store::new().map_err(|error| KeyringFault::of(&error))?;
    let inner = store
        .build(service, profile, None)
        .map_err(|error| KeyringFault::of(&error))?;
    Ok(Entry { inner })
}

/// Reports that changes cannot be watched: the keychain sends no notifications.
pub(super) fn watch(_: &'static str, _: fn(Signal) -> io::Result<()>) -> Result<(), KeyringFault> {
    let what = "it tells nothing of its changes";
    Err(KeyringFault::Failed(what.into()))
}

/// Does nothing: no program waits for a notification of the keychain.
pub(super) const fn announce(_: &str, _: &str) {}
