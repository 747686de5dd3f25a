//! Who we are to a server that asks for a certificate (mutual TLS).

use std::fs::{self, File};
use std::io::{self, Read as _};
use std::path::Path;

use reqwest::ClientBuilder;
use zeroize::Zeroizing;

use crate::config::ClientCertificate;
use crate::fault::{Fault, FaultKind};

/// The largest certificate or key file that is read, in bytes: a long chain of large certificates has a quarter of it.
const MAX_FILE: u64 = 65_536;

/// Reads a client certificate and its key. Blocks.
///
/// # Errors
/// [`FaultKind::TlsUntrusted`], as when the server refuses the certificate: there is no handshake to be had, nobody
/// has rejected the credential, and the files may be right at the next attempt. The reason names the file.
pub(super) fn read(files: &ClientCertificate) -> Result<reqwest::Identity, Fault> {
    let (cert, key) = (files.cert.display(), files.key.display());
    // Room for both from the start: a buffer that grew would leave the key in the one it outgrew.
    let mut pem = Zeroizing::new(Vec::with_capacity(2 * MAX_FILE as usize + 3));
    append(&files.cert, &mut pem).map_err(|why| {
        unusable(format!(
            "the client certificate {cert} cannot be used: {why}"
        ))
    })?;
    pem.push(b'\n');
    append(&files.key, &mut pem).map_err(|why| {
        unusable(format!(
            "the client certificate's key {key} cannot be used: {why}"
        ))
    })?;
    let identity = reqwest::Identity::from_pem(&pem).map_err(|_| {
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

/// Appends a file's content: at most [`MAX_FILE`] bytes, whatever the file becomes while it is read.
fn append(path: &Path, pem: &mut Vec<u8>) -> io::Result<()> {
    // Before it is opened: opening a pipe would wait for a writer.
    if !fs::metadata(path)?.is_file() {
        return Err(io::Error::other("it is not a file"));
    }
    let read = File::open(path)?.take(MAX_FILE + 1).read_to_end(pem)?;
    if read as u64 > MAX_FILE {
        return Err(io::Error::other(format!(
            "it is larger than {MAX_FILE} bytes"
        )));
    }
    Ok(())
}

fn unusable(detail: String) -> Fault {
    Fault::new(FaultKind::TlsUntrusted, detail)
}
