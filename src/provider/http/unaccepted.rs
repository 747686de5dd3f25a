//! Specific reasons why a server's certificate is not accepted, where the library's error is too general.

use std::error::Error;
use std::fmt;
use std::sync::Arc;

use rustls::pki_types::CertificateDer;
use rustls::{CertificateError, Error as TlsError, OtherError};

use crate::certificates::CertificateFacts;

/// The reason. It contains no text of the certificates, since no trusted root signed them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum CertificateProblem {
    /// The certificate is self-signed and not trusted.
    SelfSigned,
    /// The certificate's issuer is not trusted, and the server did not send that issuer's certificate.
    UnknownIssuer,
    /// The server's chain ends below a CA that is not trusted.
    UnknownAbove,
    /// The server's chain ends with a root that is not trusted.
    UnknownRoot,
    /// The CA file has the server's own certificate, but not that of the CA that signed it.
    OnlyItself,
    /// The CA file has the certificate that signed it, but that one is not a CA's.
    NotByCa,
    /// A certificate in the server's chain has expired.
    ExpiredAbove,
    /// A certificate in the server's chain is not valid yet.
    NotYetValidAbove,
}

// === impl Unaccepted ===

impl CertificateProblem {
    /// Converts the reason to an error of the TLS library.
    pub(super) fn error(self) -> TlsError {
        CertificateError::Other(OtherError(Arc::new(self))).into()
    }

    /// Returns the reason in an error that [`Self::error`] has made.
    pub(super) fn of(error: &CertificateError) -> Option<Self> {
        match error {
            CertificateError::Other(OtherError(error)) => error.downcast_ref().copied(),
            _ => None,
        }
    }

    /// Determines where the chain of this certificate and those that were sent with it ends.
    fn of_chain(own: &[u8], sent: &[CertificateDer<'_>]) -> Option<Self> {
        let mut last = CertificateFacts::read(own)?;
        if last.is_self_issued() {
            return Some(Self::SelfSigned);
        }
        let mut rest: Vec<_> = sent
            .iter()
            .filter_map(|der| CertificateFacts::read(der))
            .collect();
        let mut reason = Self::UnknownIssuer;
        while let Some(at) = rest.iter().position(|facts| facts.subject == last.issuer) {
            last = rest.swap_remove(at);
            reason = Self::UnknownAbove;
            if last.is_self_issued() {
                return Some(Self::UnknownRoot);
            }
        }
        Some(reason)
    }
}

/// Returns the error, or a more specific one for the certificates that the server sent. `alone` verifies the server's
/// own certificate without the others.
pub(super) fn explained(
    error: TlsError,
    own: &CertificateDer<'_>,
    sent: &[CertificateDer<'_>],
    alone: impl FnOnce() -> Option<TlsError>,
) -> TlsError {
    let TlsError::InvalidCertificate(what) = &error else {
        return error;
    };
    let of_dates = |above| (!alone().is_some_and(|error| is_of_dates(&error))).then_some(above);
    let reason = match what {
        CertificateError::UnknownIssuer => CertificateProblem::of_chain(own, sent),
        // Certificates of `openssl req -x509` are like this.
        _ if is_ca_as_server(&error) => {
            let is_self_signed =
                CertificateFacts::read(own).is_some_and(|facts| facts.is_self_issued());
            is_self_signed.then_some(CertificateProblem::SelfSigned)
        }
        _ if sent.is_empty() => None,
        CertificateError::ExpiredContext { .. } => of_dates(CertificateProblem::ExpiredAbove),
        CertificateError::NotValidYetContext { .. } => {
            of_dates(CertificateProblem::NotYetValidAbove)
        }
        _ => None,
    };
    reason.map_or(error, CertificateProblem::error)
}

/// Returns whether the library refuses a server's certificate because it is a CA's.
pub(super) fn is_ca_as_server(error: &TlsError) -> bool {
    let TlsError::InvalidCertificate(CertificateError::Other(OtherError(error))) = error else {
        return false;
    };
    matches!(error.downcast_ref(), Some(webpki::Error::CaUsedAsEndEntity))
}

fn is_of_dates(error: &TlsError) -> bool {
    matches!(
        error,
        TlsError::InvalidCertificate(
            CertificateError::ExpiredContext { .. } | CertificateError::NotValidYetContext { .. }
        )
    )
}

impl fmt::Display for CertificateProblem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(self, f)
    }
}

impl Error for CertificateProblem {}
