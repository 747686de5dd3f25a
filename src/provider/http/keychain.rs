//! The root certificates of macOS: the system's own verifier uses the keychain and ignores environment variables.

use std::sync::Arc;

use rustls::client::danger::ServerCertVerifier;
use rustls_platform_verifier::Verifier;

use super::tls;
use crate::fault::{Fault, FaultKind};

/// Returns the verifier that trusts what the system trusts.
///
/// # Errors
/// [`FaultKind::NoCa`] if the system gives no verifier.
pub(super) fn verifier() -> Result<Arc<dyn ServerCertVerifier>, Fault> {
    match Verifier::new(tls::provider()) {
        Ok(verifier) => Ok(Arc::new(verifier)),
        Err(_) => Err(Fault::new(FaultKind::NoCa, "the keychain cannot be used")),
    }
}
