//! The root certificates of macOS: its own verifier judges by the keychain, and no environment variable has a say in it.

use std::sync::Arc;

use rustls::client::danger::ServerCertVerifier;
use rustls_platform_verifier::Verifier;

use super::tls;
use crate::fault::{Fault, FaultKind};

/// The verifier that trusts what the system trusts.
///
/// # Errors
/// [`FaultKind::NoCa`] if the system has no verifier for us.
pub(super) fn verifier() -> Result<Arc<dyn ServerCertVerifier>, Fault> {
    match Verifier::new(tls::provider()) {
        Ok(verifier) => Ok(Arc::new(verifier)),
        Err(_) => Err(Fault::new(FaultKind::NoCa, "the keychain cannot be used")),
    }
}
