//! Who we are to a server that asks for a certificate (mutual TLS).

use reqwest::{ClientBuilder, Identity};

use crate::certificates::ClientFiles;
use crate::config::ClientCertificate;
use crate::fault::{Fault, FaultKind};

/// Reads a client certificate and its key, which only root and `owner` may change. Blocks.
///
/// # Errors
/// [`FaultKind::TlsUntrusted`], as when the server refuses the certificate: there is no handshake to be had, nobody
/// has rejected the credential, and the files may be right at the next attempt. The reason names the file.
pub(super) fn read(files: &ClientCertificate, owner: u32) -> Result<ClientFiles, Fault> {
    ClientFiles::read(files, owner).map_err(|error| unusable(error.to_string()))
}

/// Parses what was read.
///
/// # Errors
/// As those of [`read`].
pub(super) fn parse(read: &ClientFiles, files: &ClientCertificate) -> Result<Identity, Fault> {
    let (cert, key) = (files.cert.display(), files.key.display());
    let identity = Identity::from_pem(&read.pem).map_err(|_| {
        unusable(format!("no certificate in {cert} and key in {key} in PEM form that can be used together; is the key encrypted?"))
    })?;
    // What is wrong with the pair shows when a client is built with it. Without any roots, so that nothing else can
    // be what is wrong.
    ClientBuilder::new()
        .tls_certs_only([])
        .identity(identity.clone())
        .build()
        .map_err(|_| {
            unusable(format!("the client certificate {cert} and the key {key} do not belong together, or are of a kind that cannot be used"))
        })?;
    Ok(identity)
}

fn unusable(detail: String) -> Fault {
    Fault::new(FaultKind::TlsUntrusted, detail)
}
