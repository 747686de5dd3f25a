//! Whom a client trusts: the system's roots, or those of one file and no others.

use std::fs::{self, File};
use std::io::Read as _;
use std::path::{Path, PathBuf};

use reqwest::{Certificate, Client, ClientBuilder};
use sha2::{Digest as _, Sha256};

use crate::fault::{Fault, FaultKind};

/// The largest CA file that is read, in bytes: four times the largest bundles of today's distributions, and more.
const MAX_CA_FILE: u64 = 1_048_576;

/// The roots that are trusted.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum Roots {
    /// Those of the operating system.
    #[default]
    System,
    /// Those of this file and no others.
    File {
        /// A bundle of certificates in PEM form.
        path: PathBuf,
        /// The SHA-256 that the content must have: whoever can exchange the file decides who gets the secret, so a
        /// credential is bound to it. `None` takes any content.
        sha256: Option<[u8; 32]>,
    },
}

impl Roots {
    /// Finishes a client that trusts these roots. Blocks: they are read from disk.
    ///
    /// # Errors
    /// [`FaultKind::NoCa`] when there are none or the file cannot be used; the reason names the file.
    pub(super) fn build(&self, builder: ClientBuilder, encrypted: bool) -> Result<Client, Fault> {
        let (builder, unusable) = match self {
            // In the clear nobody is trusted: an empty set costs nothing, and works where the system has none.
            _ if !encrypted => (builder.tls_certs_only([]), "no TLS client can be built".to_owned()),
            Self::System => (
                builder,
                "the system has no root certificates to trust: install ca-certificates, or set ca-file".to_owned(),
            ),
            Self::File { path, sha256 } => {
                let certificates = read(path, sha256.as_ref())?;
                let unusable = format!("the CA file {} holds a certificate that cannot be used", path.display());
                (builder.tls_certs_only(certificates), unusable)
            }
        };
        builder.build().map_err(|_| no_ca(unusable))
    }
}

fn read(path: &Path, sha256: Option<&[u8; 32]>) -> Result<Vec<Certificate>, Fault> {
    let shown = path.display();
    let unreadable =
        |error: std::io::Error| no_ca(format!("the CA file {shown} cannot be read: {error}"));
    // Before it is opened: opening a pipe would wait for a writer.
    if !fs::metadata(path).map_err(unreadable)?.is_file() {
        return Err(no_ca(format!("the CA file {shown} is not a file")));
    }
    let mut pem = Vec::new();
    let file = File::open(path).map_err(unreadable)?;
    file.take(MAX_CA_FILE + 1)
        .read_to_end(&mut pem)
        .map_err(unreadable)?;
    if pem.len() as u64 > MAX_CA_FILE {
        return Err(no_ca(format!(
            "the CA file {shown} is larger than {MAX_CA_FILE} bytes"
        )));
    }
    if sha256.is_some_and(|expected| Sha256::digest(&pem)[..] != expected[..]) {
        return Err(no_ca(format!(
            "the CA file {shown} is another one than at enrolment"
        )));
    }
    let certificates = Certificate::from_pem_bundle(&pem)
        .map_err(|_| no_ca(format!("the CA file {shown} is not in PEM form")))?;
    if certificates.is_empty() {
        return Err(no_ca(format!(
            "the CA file {shown} holds no certificate in PEM form"
        )));
    }
    Ok(certificates)
}

fn no_ca(detail: String) -> Fault {
    Fault::new(FaultKind::NoCa, detail)
}
