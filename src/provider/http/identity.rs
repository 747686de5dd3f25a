//! Who we are to a server that asks for a certificate (mutual TLS).

use std::sync::Arc;

use rustls::sign::CertifiedKey;

use super::{ClientSource, tls};
use crate::certificates::{ClientFileError, ClientFiles};
use crate::fault::{Fault, FaultKind};

/// Reads a client certificate and its key. Blocks.
///
/// # Errors
/// As those of [`ClientFiles::read`].
pub(super) fn read(source: &ClientSource) -> Result<ClientFiles, ClientFileError> {
    ClientFiles::read(&source.files, source.owner)
}

/// Parses what was read.
///
/// # Errors
/// As those of [`ClientFiles::identity`].
pub(super) fn parse(read: &ClientFiles) -> Result<Arc<CertifiedKey>, ClientFileError> {
    read.identity(&tls::provider()).map(Arc::new)
}

/// The fault of files that cannot be used: [`FaultKind::TlsUntrusted`], as when the server refuses the certificate. There
/// is no handshake to be had, no issuer has rejected the credential, and the files may be right at the next attempt.
pub(super) fn fault(error: &ClientFileError) -> Fault {
    Fault::new(FaultKind::TlsUntrusted, error.to_string())
}
