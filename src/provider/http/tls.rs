//! The TLS configuration of a client: how it verifies the server, and what it shows to it.

use std::sync::{Arc, LazyLock};

use rustls::ClientConfig;
use rustls::client::Resumption;
use rustls::client::danger::ServerCertVerifier;
use rustls::crypto::CryptoProvider;
use rustls::sign::{CertifiedKey, SingleCertAndKey};

use crate::fault::{Fault, FaultKind};

/// Returns the cryptography of all clients.
pub(super) fn provider() -> Arc<CryptoProvider> {
    static PROVIDER: LazyLock<Arc<CryptoProvider>> =
        LazyLock::new(|| Arc::new(rustls::crypto::aws_lc_rs::default_provider()));
    Arc::clone(&PROVIDER)
}

/// Returns the configuration of a client for HTTP/1.1.
///
/// # Errors
/// [`FaultKind::NoCa`] if no TLS version can be used.
pub(super) fn config(
    verifier: Arc<dyn ServerCertVerifier>,
    identity: Option<Arc<CertifiedKey>>,
) -> Result<ClientConfig, Fault> {
    let builder = ClientConfig::builder_with_provider(provider());
    let builder = builder
        .with_protocol_versions(rustls::ALL_VERSIONS)
        .map_err(|_| Fault::new(FaultKind::NoCa, "no version of TLS can be used"))?;
    let builder = builder
        .dangerous()
        .with_custom_certificate_verifier(verifier);
    let mut config = match identity {
        Some(identity) => {
            builder.with_client_cert_resolver(Arc::new(SingleCertAndKey::from(identity)))
        }
        None => builder.with_no_client_auth(),
    };
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    // TLS does not check the certificate again when it resumes a session, although the certificate may have expired,
    // or its root may be withdrawn.
    config.resumption = Resumption::disabled();
    Ok(config)
}
