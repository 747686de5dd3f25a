//! A CA file: the certificates to trust, and no others.

use std::fmt;
use std::fs::File;
use std::io::{self, Read as _};
use std::path::{Path, PathBuf};

use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject as _;
use sha2::{Digest as _, Sha256};

use crate::credential::CaContent;

/// The largest CA file that is read, in bytes: four times the largest bundles of today's distributions, and more.
const MAX_LEN: u64 = 1 << 20;

/// The most certificates of a CA file, each counted once: twice as many as today's largest bundles have. Their hashes
/// must fit into a record.
pub const MAX_CERTIFICATES: usize = 512;

/// The content of a CA file at one reading.
#[derive(Debug)]
pub struct CaFile {
    /// Its path in the configuration.
    pub path: PathBuf,
    /// The identity of the content.
    pub content: CaContent,
    /// The certificates in the file's order.
    pub certificates: Vec<CertificateDer<'static>>,
}

/// Why a CA file cannot be used.
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
    /// It is a folder, a pipe or something else that is not a regular file.
    NotAFile,
    /// The system refuses access.
    Unreadable(io::Error),
    /// It is larger than this many bytes.
    TooLarge(u64),
    /// A block that should be a certificate in PEM form is not.
    NotPem,
    /// It holds no certificate in PEM form.
    Empty,
    /// It holds this many certificates, more than [`MAX_CERTIFICATES`].
    TooMany(usize),
}

// === impl CaFile ===

impl CaFile {
    /// Reads a CA file, at most [`MAX_LEN`] bytes of it. Blocks.
    ///
    /// # Errors
    /// [`CaFileError`] names the file and the reason.
    pub fn read(path: &Path) -> Result<Self, CaFileError> {
        let failed = |kind| CaFileError {
            path: path.to_owned(),
            kind,
        };
        let bytes = bytes_of(path).map_err(failed)?;
        let certificates = parse(&bytes).map_err(failed)?;
        let mut set: Vec<_> = certificates.iter().map(|der| sha256(der)).collect();
        set.sort_unstable();
        set.dedup();
        if set.len() > MAX_CERTIFICATES {
            return Err(failed(CaFileErrorKind::TooMany(set.len())));
        }
        Ok(Self {
            path: path.to_owned(),
            content: CaContent {
                bytes: sha256(&bytes),
                set,
                only_root: false,
            },
            certificates,
        })
    }
}

fn bytes_of(path: &Path) -> Result<Vec<u8>, CaFileErrorKind> {
    // Checked before opening: opening a pipe would wait for a writer.
    let meta = std::fs::metadata(path).map_err(CaFileErrorKind::Unreadable)?;
    if !meta.is_file() {
        return Err(CaFileErrorKind::NotAFile);
    }
    let mut bytes = vec![];
    File::open(path)
        .and_then(|file| file.take(MAX_LEN + 1).read_to_end(&mut bytes))
        .map_err(CaFileErrorKind::Unreadable)?;
    if bytes.len() as u64 > MAX_LEN {
        return Err(CaFileErrorKind::TooLarge(MAX_LEN));
    }
    Ok(bytes)
}

fn parse(pem: &[u8]) -> Result<Vec<CertificateDer<'static>>, CaFileErrorKind> {
    let certificates: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(pem).collect();
    match certificates {
        Ok(certificates) if certificates.is_empty() => Err(CaFileErrorKind::Empty),
        Ok(certificates) => Ok(certificates),
        Err(_) => Err(CaFileErrorKind::NotPem),
    }
}

fn sha256(bytes: &[u8]) -> String {
    let hash = Sha256::digest(bytes);
    hash.iter().map(|byte| format!("{byte:02x}")).collect()
}

// === impl CaFileError ===

impl fmt::Display for CaFileError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the CA file {} ", self.path.display())?;
        match &self.kind {
            CaFileErrorKind::NotAFile => f.write_str("is not a file"),
            CaFileErrorKind::Unreadable(_) => f.write_str("cannot be read"),
            CaFileErrorKind::TooLarge(cap) => write!(f, "is larger than {cap} bytes"),
            CaFileErrorKind::NotPem => f.write_str("is not in PEM form"),
            CaFileErrorKind::Empty => f.write_str("holds no certificate in PEM form"),
            CaFileErrorKind::TooMany(count) => write!(
                f,
                "holds {count} certificates, more than {MAX_CERTIFICATES}"
            ),
        }
    }
}

impl std::error::Error for CaFileError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match &self.kind {
            CaFileErrorKind::Unreadable(source) => Some(source),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::causes::Causes;

    fn fixture(name: &str) -> String {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/tls");
        std::fs::read_to_string(folder.join(name)).unwrap()
    }

    #[test]
    fn a_ca_file_that_is_none_is_refused_and_never_waited_for() {
        let dir = tempfile::tempdir().unwrap();
        let pipe = dir.path().join("pipe");
        let made = std::process::Command::new("mkfifo").arg(&pipe).status();
        assert!(made.unwrap().success());
        for path in [pipe.as_path(), dir.path()] {
            let error = CaFile::read(path).unwrap_err();
            assert!(matches!(error.kind, CaFileErrorKind::NotAFile), "{error}");
        }
        let none = CaFile::read(&dir.path().join("none")).unwrap_err();
        let told = Causes(&none).to_string();
        assert!(told.contains("none cannot be read: No such file"), "{told}");
    }

    #[test]
    fn comments_order_and_duplicates_are_no_part_of_the_set() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("ca.pem");
        let read = |text: &str| {
            std::fs::write(&path, text).unwrap();
            CaFile::read(&path).unwrap().content
        };
        let (one, two) = (fixture("ca.pem"), fixture("self-signed.pem"));
        let both = read(&format!("{one}{two}"));
        assert_eq!(both.set.len(), 2);
        for same in [
            format!("# a comment\n{one}{two}"),
            format!("{two}\n\n{one}"),
            format!("{one}{one}{two}{one}"),
            format!("{one}{two}").replace('\n', "\r\n"),
        ] {
            let now = read(&same);
            assert_eq!(now.set, both.set, "{same}");
            assert_ne!(now.bytes, both.bytes, "{same}");
        }
        assert_ne!(read(&one).set, both.set);
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
        let error = CaFile::read(&path).unwrap_err();
        assert!(
            matches!(error.kind, CaFileErrorKind::TooMany(513)),
            "{error}"
        );
        let less = text.rfind("-----BEGIN").unwrap();
        std::fs::write(&path, &text[..less]).unwrap();
        assert_eq!(
            CaFile::read(&path).unwrap().content.set.len(),
            MAX_CERTIFICATES
        );
    }
}
