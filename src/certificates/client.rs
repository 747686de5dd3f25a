//! The client certificate for an issuer, and its private key (mutual TLS).

use std::fmt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use rustls::crypto::CryptoProvider;
use rustls::pki_types::pem::{PemObject as _, SectionKind};
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::sign::CertifiedKey;
use rustls::{Error as TlsError, InconsistentKeys};
use sha2::{Digest as _, Sha256};
use zeroize::Zeroizing;

use super::openssl;
use super::pem::Pem;
use super::untrusted::words;
use super::x509::CertificateFacts;
use crate::config::ClientCertificate;
use crate::trust::{Purpose, UntrustedPath, read_named};

/// The largest accepted certificate or key file, in bytes: four times a long chain of large certificates.
const MAX_LEN: u64 = 65_536;

/// The pauses before the files are read again if they do not match: at 0.5, 1 and 2 s. A renewal writes two files, and
/// a reader may come between.
pub const PAUSES: [Duration; 3] = [
    Duration::from_millis(500),
    Duration::from_millis(500),
    Duration::from_secs(1),
];

/// A client certificate and its key, read together.
pub struct ClientFiles {
    files: ClientCertificate,
    cert: Zeroizing<Vec<u8>>,
    key: Zeroizing<Vec<u8>>,
    /// The SHA-256 of both, which detects a renewal.
    pub sha256: [u8; 32],
}

/// The reason why a client certificate or its key cannot be used.
#[derive(Debug)]
pub struct ClientFileError {
    part: ClientFilePart,
    /// The file's path in the configuration.
    path: PathBuf,
    why: ClientFileFault,
}

/// One of the two files.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum ClientFilePart {
    Certificate,
    Key,
}

#[derive(Debug)]
enum ClientFileFault {
    /// The file, or a folder or link that leads to it, cannot be read or is not trusted.
    Untrusted(UntrustedPath),
    /// A block in it has no end, or holds something other than base64.
    NotPem,
    /// It holds no block of its kind. If it has one in another form, the text says how to convert it.
    Empty(String),
    /// It holds a certificate in a form of OpenSSL's own. The text names it and the command that converts it.
    OpenSsl(String),
    /// The key is encrypted with a pass phrase.
    Encrypted,
    /// The certificate has this version, which cannot be used.
    OldVersion(u8),
    /// The certificate does not belong to the key in this file.
    Mismatch(PathBuf),
    /// Its kind cannot be used.
    Unusable,
}

// === impl ClientFiles ===

impl ClientFiles {
    /// Reads a client certificate and its key. Only root and `uid` can have changed them, and no other user can have
    /// read the key. Blocks.
    ///
    /// # Errors
    /// [`ClientFileError`] names the file, the reason and the remedy.
    pub fn read(files: &ClientCertificate, uid: u32) -> Result<Self, ClientFileError> {
        let cert = read(ClientFilePart::Certificate, &files.cert, uid)?;
        let key = read(ClientFilePart::Key, &files.key, uid)?;
        let mut both = Sha256::new();
        for file in [&cert, &key] {
            both.update(file.len().to_le_bytes());
            both.update(&**file);
        }
        Ok(Self {
            files: files.clone(),
            cert,
            key,
            sha256: both.finalize().into(),
        })
    }

    /// Returns the certificates, the client's own first, with the matching key.
    ///
    /// # Errors
    /// [`ClientFileError`] names the file, the reason and the remedy. If it [is passing](ClientFileError::is_passing),
    /// a retry after one of the [`PAUSES`] may succeed.
    pub fn identity(&self, provider: &CryptoProvider) -> Result<CertifiedKey, ClientFileError> {
        let ClientCertificate { cert, key } = &self.files;
        let of_certificate = |why| ClientFilePart::Certificate.failed(cert, why);
        let of_key = |why| ClientFilePart::Key.failed(key, why);
        let chain = chain(&self.cert, cert).map_err(of_certificate)?;
        let private_key = private_key(&self.key).map_err(of_key)?;
        CertifiedKey::from_der(chain, private_key, provider).map_err(|error| match error {
            TlsError::InconsistentKeys(InconsistentKeys::KeyMismatch) => {
                of_certificate(ClientFileFault::Mismatch(key.clone()))
            }
            TlsError::InvalidCertificate(_) => of_certificate(ClientFileFault::Unusable),
            _ => of_key(ClientFileFault::Unusable),
        })
    }

    /// Checks whether a client certificate and its key can be used, and waits for the end of a renewal in progress.
    /// Blocks for up to two seconds.
    ///
    /// # Errors
    /// The errors of [`Self::read`] and [`Self::identity`].
    pub fn examine(files: &ClientCertificate, uid: u32) -> Result<(), ClientFileError> {
        let provider = rustls::crypto::aws_lc_rs::default_provider();
        let look = || Self::read(files, uid)?.identity(&provider).map(drop);
        #[expect(
            clippy::disallowed_methods,
            reason = "only commands call this, and never on an event loop"
        )]
        settled(look, std::thread::sleep)
    }
}

/// Retries after each of the pauses while the error is a passing one.
fn settled<T>(
    mut look: impl FnMut() -> Result<T, ClientFileError>,
    mut wait: impl FnMut(Duration),
) -> Result<T, ClientFileError> {
    for pause in PAUSES {
        match look() {
            Err(error) if error.is_passing() => wait(pause),
            seen => return seen,
        }
    }
    look()
}

fn read(
    part: ClientFilePart,
    path: &Path,
    uid: u32,
) -> Result<Zeroizing<Vec<u8>>, ClientFileError> {
    let purpose = match part {
        ClientFilePart::Certificate => Purpose::ClientCertificate,
        ClientFilePart::Key => Purpose::ClientKey,
    };
    let file = read_named(path, uid, purpose, MAX_LEN);
    let file = file.map_err(|why| part.failed(path, ClientFileFault::Untrusted(why)))?;
    Ok(file.bytes)
}

fn chain(bytes: &[u8], path: &Path) -> Result<Vec<CertificateDer<'static>>, ClientFileFault> {
    let pem = Pem::new(bytes);
    if let Some(words) = openssl::words(&pem, path) {
        return Err(ClientFileFault::OpenSsl(words));
    }
    let blocks = pem.blocks().ok_or(ClientFileFault::NotPem)?.into_iter();
    let certificates = blocks.filter(|(kind, _)| *kind == SectionKind::Certificate);
    let chain: Vec<CertificateDer<'static>> = certificates.map(|(_, der)| der.into()).collect();
    let Some(own) = chain.first() else {
        return Err(ClientFileFault::Empty(openssl::hint(bytes, &pem, path)));
    };
    match CertificateFacts::read(own) {
        Some(facts) if facts.version < 3 => Err(ClientFileFault::OldVersion(facts.version)),
        _ => Ok(chain),
    }
}

fn private_key(bytes: &[u8]) -> Result<PrivateKeyDer<'static>, ClientFileFault> {
    let pem = Pem::new(bytes);
    if pem.is_encrypted() {
        return Err(ClientFileFault::Encrypted);
    }
    let mut blocks = pem.blocks().ok_or(ClientFileFault::NotPem)?.into_iter();
    blocks
        .find_map(|(kind, der)| PrivateKeyDer::from_pem(kind, der))
        .ok_or_else(|| ClientFileFault::Empty(String::new()))
}

impl fmt::Debug for ClientFiles {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ClientFiles(…)")
    }
}

// === impl Part ===

impl ClientFilePart {
    fn failed(self, path: &Path, why: ClientFileFault) -> ClientFileError {
        ClientFileError {
            part: self,
            path: path.to_owned(),
            why,
        }
    }

    const fn noun(self) -> &'static str {
        match self {
            Self::Certificate => "client certificate",
            Self::Key => "client certificate's key",
        }
    }
}

// === impl ClientFileError ===

impl ClientFileError {
    /// Reports whether a retry may succeed soon: the files look as if they were read between two writes.
    pub const fn is_passing(&self) -> bool {
        matches!(
            self.why,
            ClientFileFault::Mismatch(_) | ClientFileFault::NotPem | ClientFileFault::Empty(_)
        )
    }
}

impl fmt::Display for ClientFileError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the {} {} ", self.part.noun(), self.path.display())?;
        match &self.why {
            ClientFileFault::Untrusted(why) => f.write_str(&words(&self.path, why)),
            ClientFileFault::NotPem => f.write_str("is not in PEM form"),
            ClientFileFault::Empty(hint) if self.part == ClientFilePart::Certificate => {
                write!(f, "holds no certificate in PEM form{hint}")
            }
            ClientFileFault::Empty(_) => f.write_str("holds no private key in PEM form"),
            ClientFileFault::OpenSsl(words) => f.write_str(words),
            ClientFileFault::Encrypted => {
                let path = openssl::word(&self.path);
                write!(
                    f,
                    "is encrypted, and the daemon cannot ask for its pass phrase; write one that is not encrypted: openssl pkey -in {path} -out NEW.key"
                )
            }
            ClientFileFault::OldVersion(version) => write!(
                f,
                "has version {version} (X.509v{version}), and TLS accepts only version 3: have it reissued with extensions such as extendedKeyUsage = clientAuth"
            ),
            ClientFileFault::Mismatch(key) => write!(
                f,
                "and the key {} do not belong together: the certificate is for another key",
                key.display()
            ),
            ClientFileFault::Unusable => f.write_str("is of a kind that cannot be used"),
        }
    }
}

impl std::error::Error for ClientFileError {}

#[cfg(test)]
mod tests {
    use std::fs::{self, Permissions};
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    #[test]
    fn a_private_key_readable_by_others_is_refused_with_a_remedy() {
        let folder = tempfile::tempdir().unwrap();
        let file = |name: &str| {
            let path = folder.path().canonicalize().unwrap().join(name);
            fs::write(&path, name).unwrap();
            fs::set_permissions(&path, Permissions::from_mode(0o644)).unwrap();
            path
        };
        let files = ClientCertificate {
            cert: file("cert"),
            key: file("key"),
        };
        let uid = rustix::process::geteuid().as_raw();
        let error = ClientFiles::read(&files, uid).unwrap_err().to_string();
        let shown = files.key.display();
        let start = format!(
            "the client certificate's key {shown} is not trusted: others can read it (mode 0644); chmod "
        );
        assert!(error.starts_with(&start), "{error}");
        fs::set_permissions(&files.key, Permissions::from_mode(0o600)).unwrap();
        let read = ClientFiles::read(&files, uid).unwrap();
        fs::write(&files.cert, "renewed").unwrap();
        let renewed = ClientFiles::read(&files, uid).unwrap();
        assert_ne!(read.sha256, renewed.sha256);
        assert_eq!(format!("{read:?}"), "ClientFiles(…)");
    }

    fn fixture(name: &str) -> Vec<u8> {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/tls");
        fs::read(folder.join(name)).unwrap()
    }

    fn identity(cert: &[u8], key: &[u8]) -> Result<CertifiedKey, ClientFileError> {
        let files = ClientFiles {
            files: ClientCertificate {
                cert: "/us.pem".into(),
                key: "/us.key".into(),
            },
            cert: cert.to_vec().into(),
            key: key.to_vec().into(),
            sha256: [0; 32],
        };
        files.identity(&rustls::crypto::aws_lc_rs::default_provider())
    }

    /// Converts the text to one with a byte order mark and Windows line ends.
    fn of_windows(pem: &[u8]) -> Vec<u8> {
        let text = std::str::from_utf8(pem).unwrap().replace('\n', "\r\n");
        format!("\u{feff}{text}").into_bytes()
    }

    #[test]
    fn certificate_and_key_are_read_with_any_line_ending_and_byte_order_mark() {
        let (cert, key) = (fixture("wrong-purpose.pem"), fixture("server.key"));
        let both = [cert.as_slice(), &key].concat();
        let chain = [cert.as_slice(), &fixture("ca.pem")].concat();
        let certificates =
            |cert: &[u8], key: &[u8]| identity(cert, key).map(|read| read.cert.len());
        for (cert, key, count) in [
            (&cert, &key, 1),
            (&of_windows(&cert), &of_windows(&key), 1),
            (&both, &both, 1),
            (&of_windows(&both), &key, 1),
            (&chain, &both, 2),
        ] {
            assert_eq!(certificates(cert, key).unwrap(), count);
        }
    }

    #[test]
    fn each_fault_of_a_certificate_and_key_pair_is_reported() {
        let (cert, key) = (fixture("wrong-purpose.pem"), fixture("server.key"));
        let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).unwrap();
        let trusted = text(&cert).replace(" CERTIFICATE", " TRUSTED CERTIFICATE");
        let encrypted = text(&key).replace(" PRIVATE", " ENCRYPTED PRIVATE");
        let legacy = "-----BEGIN RSA PRIVATE KEY-----\nProc-Type: 4,ENCRYPTED\nDEK-Info: AES-128-CBC,00\n\nAAAA\n-----END RSA PRIVATE KEY-----\n";
        let der = rustls::pki_types::CertificateDer::from_pem_slice(&cert).unwrap();
        for (cert, key, why, is_passing) in [
            (
                &b""[..],
                &key[..],
                "certificate /us.pem holds no certificate in PEM form",
                true,
            ),
            (
                &cert[..100],
                &key,
                "certificate /us.pem is not in PEM form",
                true,
            ),
            (
                &cert,
                b"",
                "key /us.key holds no private key in PEM form",
                true,
            ),
            (&cert, &key[..60], "key /us.key is not in PEM form", true),
            (&cert, &cert, "key /us.key holds no private key", true),
            (
                &fixture("ca.pem"),
                &key,
                "/us.pem and the key /us.key do not belong together",
                true,
            ),
            (
                &fixture("client-v1.pem"),
                &key,
                "/us.pem has version 1",
                false,
            ),
            (
                trusted.as_bytes(),
                &key,
                "openssl x509 -in /us.pem -out NEW.pem",
                false,
            ),
            (
                &der,
                &key,
                "openssl x509 -inform DER -in /us.pem -out NEW.pem",
                true,
            ),
            (
                &cert,
                encrypted.as_bytes(),
                "key /us.key is encrypted",
                false,
            ),
            (&cert, legacy.as_bytes(), "key /us.key is encrypted", false),
            (
                &cert,
                b"-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n",
                "key /us.key is of a kind that cannot be used",
                false,
            ),
            (
                b"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n",
                &key,
                "certificate /us.pem is of a kind that cannot be used",
                false,
            ),
        ] {
            let error = identity(cert, key).unwrap_err();
            let told = error.to_string();
            assert!(
                told.contains(why) && told.starts_with("the client certificate"),
                "{told} / {why}"
            );
            assert_eq!(error.is_passing(), is_passing, "{told}");
        }
    }

    #[test]
    fn a_certificate_that_does_not_match_its_key_is_read_again_three_times() {
        let mismatch =
            || ClientFilePart::Key.failed(Path::new("/k"), ClientFileFault::Mismatch("/k".into()));
        for right_at in 0..5 {
            let (mut looks, mut waited) = (0, Duration::ZERO);
            let look = || {
                looks += 1;
                if looks > right_at {
                    Ok(())
                } else {
                    Err(mismatch())
                }
            };
            let seen = settled(look, |pause| waited += pause);
            assert_eq!(seen.is_ok(), right_at < 4, "{right_at}");
            assert_eq!(looks, (right_at + 1).min(4));
            let at = [0, 500, 1_000, 2_000, 2_000][right_at];
            assert_eq!(waited, Duration::from_millis(at), "{right_at}");
        }
        // There is no wait for other errors.
        let encrypted = || {
            Err::<(), _>(ClientFilePart::Key.failed(Path::new("/k"), ClientFileFault::Encrypted))
        };
        assert!(settled(encrypted, |_| panic!("a wait")).is_err());
    }
}
