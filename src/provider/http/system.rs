//! The operating system's root certificates.
//!
//! They are read from the usual places once for all clients, and again when the files have changed.
//!
//! Environment variables are ignored. `SSL_CERT_FILE` and `SSL_CERT_DIR` could differ between the shell that enrols a
//! credential and the daemon that sends it, and the user who sets them would decide which server gets the secret. To
//! trust other certificates, the user sets `ca-file`, to which the credential is bound.

use std::fs;
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;
use std::sync::{Arc, LazyLock, Mutex, PoisonError};

use rustls::client::WebPkiServerVerifier;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::CryptoProvider;
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::{
    CertificateError, DigitallySignedStruct, Error as TlsError, RootCertStore, SignatureScheme,
};

use super::tls;
use super::unaccepted::explained;
use crate::fault::{Fault, FaultKind};

/// The bundle files. The first one that has a certificate is used.
const FILES: [&str; 13] = [
    // Debian, Ubuntu, Gentoo, Arch, NixOS, Void, distroless images
    "/etc/ssl/certs/ca-certificates.crt",
    // RHEL, CentOS, Rocky, Alma, Amazon Linux
    "/etc/pki/ca-trust/extracted/pem/tls-ca-bundle.pem",
    // Fedora, RHEL 6, Mageia
    "/etc/pki/tls/certs/ca-bundle.crt",
    // SUSE
    "/etc/ssl/ca-bundle.pem",
    "/var/lib/ca-certificates/ca-bundle.pem",
    // Alpine, FreeBSD, OpenBSD
    "/etc/ssl/cert.pem",
    // Arch
    "/etc/ca-certificates/extracted/tls-ca-bundle.pem",
    // NixOS
    "/etc/ssl/certs/ca-bundle.crt",
    // OpenELEC
    "/etc/pki/tls/cacert.pem",
    // OpenHarmony
    "/etc/ssl/certs/cacert.pem",
    // Entware
    "/opt/etc/ssl/certs/ca-certificates.crt",
    // FreeBSD
    "/usr/local/etc/ssl/cert.pem",
    "/usr/local/share/certs/ca-root-nss.crt",
];

/// The folders with one file per certificate. All are read, since an administrator may have put a certificate only
/// there.
const FOLDERS: [&str; 3] = [
    "/etc/ssl/certs",
    "/etc/pki/tls/certs",
    "/usr/local/etc/ssl/certs",
];

/// Verifies servers by the system's roots as they are at each handshake. All clients share it and its certificates.
#[derive(Debug)]
struct SystemVerifier {
    provider: Arc<CryptoProvider>,
    read: Mutex<Option<LoadedRoots>>,
}

/// The roots after one reading.
#[derive(Debug, Clone)]
struct LoadedRoots {
    places: Vec<FileStamp>,
    verifier: Arc<WebPkiServerVerifier>,
}

/// A file or a folder, and the metadata that a change alters; `None` if it does not exist.
type FileStamp = (&'static str, Option<[i128; 5]>);

/// Returns the verifier that trusts the system's roots. Blocks: it reads the roots, unless they are unchanged since
/// then.
///
/// # Errors
/// [`FaultKind::NoCa`] if there are none. This result is not kept: the next call reads again.
pub(super) fn verifier() -> Result<Arc<dyn ServerCertVerifier>, Fault> {
    static SHARED: LazyLock<Arc<SystemVerifier>> = LazyLock::new(|| {
        Arc::new(SystemVerifier {
            provider: tls::provider(),
            read: Mutex::new(None),
        })
    });
    SHARED.current()?;
    let shared = Arc::<SystemVerifier>::clone(&SHARED);
    Ok(shared)
}

// === impl SystemVerifier ===

impl SystemVerifier {
    /// Returns the verifier of the present roots: the last one, unless the files have changed since.
    fn current(&self) -> Result<Arc<WebPkiServerVerifier>, Fault> {
        // Holding the lock while reading makes clients that need the roots at the same time read them only once.
        let mut read = self.read.lock().unwrap_or_else(PoisonError::into_inner);
        let places = places();
        if let Some(known) = read.as_ref().filter(|known| known.places == places) {
            return Ok(Arc::clone(&known.verifier));
        }
        let verifier = of_roots(load(&FILES, &FOLDERS)?, &self.provider)?;
        *read = Some(LoadedRoots {
            places,
            verifier: Arc::clone(&verifier),
        });
        Ok(verifier)
    }
}

impl ServerCertVerifier for SystemVerifier {
    /// Verifies a server. First checks the places for a change, and reads them again after one, so that a withdrawn
    /// root is no longer trusted. While the system has no roots, no server is trusted.
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        server_name: &ServerName<'_>,
        ocsp_response: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, TlsError> {
        let unknown = |_| TlsError::InvalidCertificate(CertificateError::UnknownIssuer);
        let current = self.current().map_err(unknown)?;
        let judged =
            |sent| current.verify_server_cert(end_entity, sent, server_name, ocsp_response, now);
        let alone = || judged(&[]).err();
        judged(intermediates).map_err(|error| explained(error, end_entity, intermediates, alone))
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, TlsError> {
        let algorithms = &self.provider.signature_verification_algorithms;
        rustls::crypto::verify_tls12_signature(message, cert, dss, algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, TlsError> {
        let algorithms = &self.provider.signature_verification_algorithms;
        rustls::crypto::verify_tls13_signature(message, cert, dss, algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        let algorithms = self.provider.signature_verification_algorithms;
        algorithms.supported_schemes()
    }
}

fn places() -> Vec<FileStamp> {
    let stamp = |path: &&'static str| {
        let meta = fs::metadata(path).ok();
        let stamp = meta.map(|meta| {
            let changed = i128::from(meta.ctime()) * 1_000_000_000 + i128::from(meta.ctime_nsec());
            let written = i128::from(meta.mtime()) * 1_000_000_000 + i128::from(meta.mtime_nsec());
            let (dev, ino, len) = (meta.dev().into(), meta.ino().into(), meta.len().into());
            [dev, ino, len, written, changed]
        });
        (*path, stamp)
    };
    FILES.iter().chain(&FOLDERS).map(stamp).collect()
}

/// Loads the certificates of the first of these files that has one, and of all these folders, without duplicates.
fn load(files: &[&str], folders: &[&str]) -> Result<Vec<CertificateDer<'static>>, Fault> {
    let mut certificates = vec![];
    let mut why = None;
    let mut read = |file, folder| {
        // Unlike the other functions of this crate, this one reads no environment variable.
        let found = rustls_native_certs::load_certs_from_paths(file, folder);
        why = why.take().or(found.errors.into_iter().next());
        let found_any = !found.certs.is_empty();
        certificates.extend(found.certs);
        found_any
    };
    // Opening a pipe would wait for a writer.
    let is_file = |path: &&Path| path.is_file();
    let mut files = files.iter().map(Path::new).filter(is_file);
    let _: Option<&Path> = files.find(|file| read(Some(file), None));
    for folder in folders.iter().map(Path::new).filter(|path| path.is_dir()) {
        read(None, Some(folder));
    }
    certificates.sort_unstable_by(|a, b| a.as_ref().cmp(b.as_ref()));
    certificates.dedup();
    if certificates.is_empty() {
        let why = why.map_or_else(String::new, |why| format!(" ({why})"));
        return Err(no_ca(&why));
    }
    Ok(certificates)
}

fn of_roots(
    certificates: Vec<CertificateDer<'static>>,
    provider: &Arc<CryptoProvider>,
) -> Result<Arc<WebPkiServerVerifier>, Fault> {
    let mut roots = RootCertStore::empty();
    // An unusable certificate must not prevent the use of the others.
    roots.add_parsable_certificates(certificates);
    WebPkiServerVerifier::builder_with_provider(roots.into(), Arc::clone(provider))
        .build()
        .map_err(|_| no_ca(" that TLS can use"))
}

fn no_ca(why: &str) -> Fault {
    let what = format!(
        "the system has no root certificates to trust{why}: install ca-certificates, or set ca-file"
    );
    Fault::new(FaultKind::NoCa, what)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fixture(name: &str) -> String {
        format!("{}/tests/fixtures/tls/{name}", env!("CARGO_MANIFEST_DIR"))
    }

    #[test]
    fn system_roots_come_from_the_first_usable_file_and_every_folder() {
        let dir = tempfile::tempdir().unwrap();
        let path = |name: &str| dir.path().join(name).to_str().unwrap().to_owned();
        for folder in ["empty", "folder"] {
            fs::create_dir(path(folder)).unwrap();
        }
        fs::write(path("nothing"), "# no certificate\n").unwrap();
        let ca = fixture("ca.pem");
        fs::copy(&ca, path("folder/ca.pem")).unwrap();
        fs::write(path("folder/readme"), "text\n").unwrap();
        std::os::unix::fs::symlink("nowhere", path("folder/dangling")).unwrap();
        let (missing, nothing) = (path("missing"), path("nothing"));
        let (empty, folder) = (path("empty"), path("folder"));
        for (files, folders, count) in [
            (vec![&ca], vec![], 1),
            (vec![&missing, &nothing, &ca], vec![], 1),
            (vec![], vec![&folder], 1),
            (vec![&ca], vec![&missing, &empty, &folder], 1),
            (vec![&missing, &nothing, &folder], vec![&empty], 0),
            (vec![], vec![], 0),
        ] {
            let files: Vec<&str> = files.iter().map(|path| path.as_str()).collect();
            let folders: Vec<&str> = folders.iter().map(|path| path.as_str()).collect();
            match load(&files, &folders) {
                Ok(found) => assert_eq!(found.len(), count, "{files:?} {folders:?}"),
                Err(fault) => {
                    assert_eq!((fault.kind, 0), (FaultKind::NoCa, count), "{fault:?}");
                    assert!(
                        fault.detail.contains("install ca-certificates"),
                        "{fault:?}"
                    );
                }
            }
        }
    }

    #[test]
    fn system_roots_are_read_once_and_shared_by_all_clients() {
        let shared = SystemVerifier {
            provider: Arc::new(rustls::crypto::aws_lc_rs::default_provider()),
            read: Mutex::new(None),
        };
        let (Ok(first), Ok(second)) = (shared.current(), shared.current()) else {
            return;
        };
        assert!(Arc::ptr_eq(&first, &second));
    }
}
