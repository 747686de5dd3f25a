//! The client certificate for a server that requests one (mutual TLS).

use std::sync::Arc;

use rustls::sign::CertifiedKey;

use super::{ClientSource, tls};
use crate::certificates::{ClientFileError, ClientFiles};
use crate::fault::{Fault, FaultKind};

/// Reads a client certificate and its key. Blocks.
///
/// # Errors
/// The errors of [`ClientFiles::read`].
pub(super) fn read(source: &ClientSource) -> Result<ClientFiles, ClientFileError> {
    ClientFiles::read(&source.files, source.owner)
}

/// Parses the files.
///
/// # Errors
/// The errors of [`ClientFiles::identity`].
pub(super) fn parse(read: &ClientFiles) -> Result<Arc<CertifiedKey>, ClientFileError> {
    read.identity(&tls::provider()).map(Arc::new)
}

/// Returns the fault for unusable files: [`FaultKind::TlsUntrusted`], as if the server had refused the certificate.
/// No handshake is possible, but no issuer has rejected the credential, and the next attempt may find correct files.
pub(super) fn fault(error: &ClientFileError) -> Fault {
    Fault::new(FaultKind::TlsUntrusted, error.to_string())
}
