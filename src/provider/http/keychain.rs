//! The root certificates of macOS: its own verifier judges by the keychain, and no environment variable has a say in it.

use reqwest::ClientBuilder;

use crate::fault::Fault;

/// A client that trusts what the system trusts.
pub(super) fn trusted(builder: ClientBuilder, _: bool) -> Result<ClientBuilder, Fault> {
    Ok(builder)
}
