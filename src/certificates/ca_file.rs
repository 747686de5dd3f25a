//! A CA file: the only certificates to trust.

use std::fmt;
use std::path::{Path, PathBuf};

use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::SectionKind;
use sha2::{Digest as _, Sha256};

use super::openssl;
use super::pem::{self, Pem};
use super::untrusted::words;
use crate::credential::CaContent;
use crate::trust::{Purpose, UntrustedPath, read_named};

/// The largest accepted CA file, in bytes: more than four times the largest bundles of today's distributions.
const MAX_LEN: u64 = 1 << 20;

/// The most certificates of a CA file, without duplicates: twice as many as today's largest bundles have. Their hashes
/// must fit into a record.
pub const MAX_CERTIFICATES: usize = 512;

/// The content of a CA file at one time of reading.
#[derive(Debug, PartialEq, Eq)]
pub struct CaFile {
    /// Its path in the configuration.
    pub path: PathBuf,
    /// The identity of the content.
    pub content: CaContent,
    /// The certificates in the file's order.
    pub certificates: Vec<CertificateDer<'static>>,
}

/// The reason why a CA file cannot be used.
#[derive(Debug)]
pub struct CaFileError {
    /// Its path in the configuration.
    pub path: PathBuf,
    /// The reason.
    pub kind: CaFileErrorKind,
}

/// The reason why a CA file cannot be used.
#[derive(Debug)]
pub enum CaFileErrorKind {
    /// The file, or a folder or link that leads to it, cannot be read or is not trusted.
    Untrusted(UntrustedPath),
    /// A block that should be a certificate in PEM form is not.
    NotPem,
    /// It holds no certificate in PEM form. If it has one in another form, the text says how to convert it.
    Empty(String),
    /// It holds a certificate in a form of OpenSSL's own. The text names it and the command that converts it.
    OpenSsl(String),
    /// It holds this many certificates, more than [`MAX_CERTIFICATES`].
    TooMany(usize),
}

// === impl CaFile ===

impl CaFile {
    /// Reads a CA file of at most 1 MiB that only root and `uid` can have changed. Blocks.
    ///
    /// # Errors
    /// [`CaFileError`] names the file, the reason and the remedy.
    pub fn read(path: &Path, uid: u32) -> Result<Self, CaFileError> {
        let failed = |kind| CaFileError {
            path: path.to_owned(),
            kind,
        };
        let file = read_named(path, uid, Purpose::CaFile, MAX_LEN)
            .map_err(|why| failed(CaFileErrorKind::Untrusted(why)))?;
        Self::of_bytes(path, &file.bytes, file.only_root)
    }

    /// Creates a CA file with this path and text, without reading or writing anything.
    ///
    /// # Errors
    /// [`CaFileError`] names the path, the reason and the remedy.
    pub fn of_text(path: &Path, text: &str) -> Result<Self, CaFileError> {
        Self::of_bytes(path, text.as_bytes(), false)
    }

    fn of_bytes(path: &Path, bytes: &[u8], only_root: bool) -> Result<Self, CaFileError> {
        let failed = |kind| CaFileError {
            path: path.to_owned(),
            kind,
        };
        let certificates = parse(bytes, path).map_err(failed)?;
        let mut set: Vec<_> = certificates.iter().map(|der| sha256(der)).collect();
        set.sort_unstable();
        set.dedup();
        if set.len() > MAX_CERTIFICATES {
            return Err(failed(CaFileErrorKind::TooMany(set.len())));
        }
        Ok(Self {
            path: path.to_owned(),
            content: CaContent {
                bytes: sha256(bytes),
                set,
                only_root,
            },
            certificates,
        })
    }

    /// Returns only its certificates, in PEM form, without any text between them.
    pub fn to_pem(&self) -> String {
        let certificates = self.certificates.iter();
        certificates.map(|der| pem::certificate(der)).collect()
    }
}

fn parse(bytes: &[u8], path: &Path) -> Result<Vec<CertificateDer<'static>>, CaFileErrorKind> {
    let pem = Pem::new(bytes);
    // Also if it stands beside others: if it were left out, a handshake would fail without a reason.
    if let Some(words) = openssl::words(&pem, path) {
        return Err(CaFileErrorKind::OpenSsl(words));
    }
    let blocks = pem.blocks().ok_or(CaFileErrorKind::NotPem)?.into_iter();
    let certificates = blocks.filter(|(kind, _)| *kind == SectionKind::Certificate);
    let certificates: Vec<_> = certificates.map(|(_, der)| der.into()).collect();
    if certificates.is_empty() {
        return Err(CaFileErrorKind::Empty(openssl::hint(bytes, &pem, path)));
    }
    Ok(certificates)
}

fn sha256(bytes: &[u8]) -> String {
    let hash = Sha256::digest(bytes);
    hash.iter().map(|byte| format!("{byte:02x}")).collect()
}

// === impl CaFileError ===

impl CaFileError {
    /// Reports whether a retry may succeed without a repair.
    pub fn is_passing(&self) -> bool {
        matches!(&self.kind, CaFileErrorKind::Untrusted(why) if why.is_passing())
    }
}

impl fmt::Display for CaFileError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the CA file {} ", self.path.display())?;
        match &self.kind {
            CaFileErrorKind::Untrusted(why) => f.write_str(&words(&self.path, why)),
            CaFileErrorKind::NotPem => f.write_str("is not in PEM form"),
            CaFileErrorKind::Empty(hint) => write!(f, "holds no certificate in PEM form{hint}"),
            CaFileErrorKind::OpenSsl(words) => f.write_str(words),
            CaFileErrorKind::TooMany(count) => write!(
                f,
                "holds {count} certificates, more than {MAX_CERTIFICATES}"
            ),
        }
    }
}

impl std::error::Error for CaFileError {}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(path: &Path) -> Result<CaFile, CaFileError> {
        CaFile::read(path, rustix::process::geteuid().as_raw())
    }

    fn fixture(name: &str) -> String {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/tls");
        std::fs::read_to_string(folder.join(name)).unwrap()
    }

    #[test]
    fn a_ca_file_that_is_not_a_regular_file_is_refused_without_blocking() {
        let dir = tempfile::tempdir().unwrap();
        let pipe = dir.path().join("pipe");
        let made = std::process::Command::new("mkfifo").arg(&pipe).status();
        assert!(made.unwrap().success());
        for path in [pipe.as_path(), dir.path()] {
            let told = read(path).unwrap_err().to_string();
            assert!(told.ends_with("is not a file"), "{told}");
        }
        let told = read(&dir.path().join("none")).unwrap_err().to_string();
        assert!(told.contains("none cannot be read: No such file"), "{told}");
    }

    #[test]
    fn comments_order_and_duplicates_do_not_change_the_certificate_set() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("ca.pem");
        let content = |text: &str| {
            std::fs::write(&path, text).unwrap();
            read(&path).unwrap().content
        };
        let (one, two) = (fixture("ca.pem"), fixture("self-signed.pem"));
        let both = content(&format!("{one}{two}"));
        assert_eq!(both.set.len(), 2);
        for same in [
            format!("# a comment\n{one}{two}"),
            format!("{two}\n\n{one}"),
            format!("{one}{one}{two}{one}"),
            format!("{one}{two}").replace('\n', "\r\n"),
            format!("\u{feff}{one}\u{feff}{two}"),
            format!("\u{feff}{two}{one}").replace('\n', "\r\n"),
        ] {
            let now = content(&same);
            assert_eq!(now.set, both.set, "{same}");
            assert_ne!(now.bytes, both.bytes, "{same}");
        }
        assert_ne!(content(&one).set, both.set);
    }

    #[test]
    fn a_trusted_certificate_of_openssl_is_refused_with_a_conversion_command() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("a ca.pem");
        let plain = fixture("ca.pem");
        let trusted = plain.replace(" CERTIFICATE", " TRUSTED CERTIFICATE");
        let quoted = format!("'{}'", path.display());
        let one = format!("openssl x509 -in {quoted} -out NEW.pem");
        let several = format!(
            "openssl crl2pkcs7 -nocrl -certfile {quoted} | openssl pkcs7 -print_certs -out NEW.pem"
        );
        for (text, command) in [
            (trusted.clone(), &one),
            (format!("\u{feff}{trusted}"), &one),
            (trusted.replace('\n', "\r\n"), &one),
            (format!("{trusted}{trusted}"), &several),
            (format!("{plain}{trusted}"), &several),
        ] {
            std::fs::write(&path, &text).unwrap();
            let told = read(&path).unwrap_err().to_string();
            let what = told.contains("BEGIN TRUSTED CERTIFICATE");
            assert!(what && told.ends_with(command), "{told}");
        }
    }

    #[test]
    fn a_file_of_more_certificates_than_a_record_holds_is_refused() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("ca.pem");
        let key = rcgen::KeyPair::generate().unwrap();
        let text: String = (0..=MAX_CERTIFICATES)
            .map(|number| {
                let mut params = rcgen::CertificateParams::new(vec![]).unwrap();
                params.serial_number = Some((number as u64).into());
                params.self_signed(&key).unwrap().pem()
            })
            .collect();
        std::fs::write(&path, &text).unwrap();
        let error = read(&path).unwrap_err();
        assert!(
            matches!(error.kind, CaFileErrorKind::TooMany(513)),
            "{error}"
        );
        let less = text.rfind("-----BEGIN").unwrap();
        std::fs::write(&path, &text[..less]).unwrap();
        assert_eq!(read(&path).unwrap().content.set.len(), MAX_CERTIFICATES);
    }
}
