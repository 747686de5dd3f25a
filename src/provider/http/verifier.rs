//! Verifies servers by a CA file: trusts its CAs, and a server whose own certificate is in the file.

use std::sync::Arc;

use rustls::client::WebPkiServerVerifier;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{CryptoProvider, WebPkiSupportedAlgorithms};
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::server::ParsedCertificate;
use rustls::{
    CertificateError, DigitallySignedStruct, Error as TlsError, RootCertStore, SignatureScheme,
};
use sha2::{Digest as _, Sha256};

use super::unaccepted::{CertificateProblem, explained, is_ca_as_server};
use crate::certificates::CertificateFacts;

/// The verifier of one CA file.
///
/// The library never trusts a server whose own certificate is a CA's, as most self-signed ones are. This verifier
/// accepts such a certificate if exactly the same one is in the file, as curl does: the file names this server.
/// Conversely, a certificate in the file that is not a CA's vouches only for itself.
#[derive(Debug)]
pub(super) struct FileVerifier {
    /// The SHA-256 of each certificate, sorted.
    hashes: Vec<[u8; 32]>,
    /// Verifies the file's own certificates: each of them is a root.
    own: Arc<WebPkiServerVerifier>,
    /// Verifies all other certificates: the CAs are the roots. `None` if there are no CAs.
    others: Option<Arc<WebPkiServerVerifier>>,
    algorithms: WebPkiSupportedAlgorithms,
}

// === impl FileVerifier ===

impl FileVerifier {
    /// Returns the verifier of a file with these certificates; `None` if TLS cannot use one of them.
    pub(super) fn new(
        certificates: &[CertificateDer<'static>],
        provider: &Arc<CryptoProvider>,
    ) -> Option<Self> {
        // A certificate that cannot be parsed here may still be a CA's.
        let is_ca = |der: &CertificateDer<'_>| {
            CertificateFacts::read(der).is_none_or(|facts| facts.is_ca())
        };
        let verifier = |of: &dyn Fn(&CertificateDer<'_>) -> bool| {
            let mut roots = RootCertStore::empty();
            for der in certificates.iter().filter(|der| of(der)) {
                roots.add(der.clone()).ok()?;
            }
            let roots = Arc::new(roots);
            let built = WebPkiServerVerifier::builder_with_provider(roots, Arc::clone(provider));
            built.build().ok()
        };
        let own = verifier(&|_| true)?;
        let others = if certificates.iter().all(is_ca) {
            Some(Arc::clone(&own))
        } else {
            verifier(&is_ca)
        };
        let mut hashes: Vec<[u8; 32]> = certificates.iter().map(|der| sha256(der)).collect();
        hashes.sort_unstable();
        Some(Self {
            hashes,
            own,
            others,
            algorithms: provider.signature_verification_algorithms,
        })
    }

    fn holds(&self, certificate: &CertificateDer<'_>) -> bool {
        self.hashes.binary_search(&sha256(certificate)).is_ok()
    }
}

/// Accepts a CA's certificate that is in the file and that a server shows as its own, if it is valid for this name
/// and for servers. The library has checked its dates already, and its presence in the file makes it trusted.
fn as_itself(certificate: &CertificateDer<'_>, name: &ServerName<'_>) -> Result<(), TlsError> {
    match CertificateFacts::read(certificate) {
        Some(facts) if facts.is_for_servers() => {}
        _ => return Err(CertificateError::InvalidPurpose.into()),
    }
    let parsed = ParsedCertificate::try_from(certificate)?;
    rustls::client::verify_server_name(&parsed, name)
}

fn sha256(der: &[u8]) -> [u8; 32] {
    Sha256::digest(der).into()
}

impl ServerCertVerifier for FileVerifier {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        server_name: &ServerName<'_>,
        ocsp_response: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, TlsError> {
        let judged = |by: &WebPkiServerVerifier, sent| {
            by.verify_server_cert(end_entity, sent, server_name, ocsp_response, now)
        };
        let is_own = self.holds(end_entity);
        let by = if is_own {
            Some(&self.own)
        } else {
            self.others.as_ref()
        };
        let error = match by.map(|by| judged(by, intermediates)) {
            Some(Ok(accepted)) => return Ok(accepted),
            Some(Err(error)) if is_own && is_ca_as_server(&error) => {
                as_itself(end_entity, server_name)?;
                return Ok(ServerCertVerified::assertion());
            }
            Some(Err(error)) => error,
            None => CertificateError::UnknownIssuer.into(),
        };
        let is_unknown = matches!(
            error,
            TlsError::InvalidCertificate(CertificateError::UnknownIssuer)
        );
        if is_unknown && is_own {
            return Err(CertificateProblem::OnlyItself.error());
        }
        if is_unknown && judged(&self.own, intermediates).is_ok() {
            return Err(CertificateProblem::NotByCa.error());
        }
        let alone = || judged(&self.own, &[]).err();
        Err(explained(error, end_entity, intermediates, alone))
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, TlsError> {
        rustls::crypto::verify_tls12_signature(message, cert, dss, &self.algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, TlsError> {
        rustls::crypto::verify_tls13_signature(message, cert, dss, &self.algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.algorithms.supported_schemes()
    }
}

#[cfg(test)]
mod tests;
