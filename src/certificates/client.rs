//! The client certificate to show to an issuer, and its private key (mutual TLS).

use std::fmt;
use std::path::{Path, PathBuf};

use sha2::{Digest as _, Sha256};
use zeroize::Zeroizing;

use super::untrusted::words;
use crate::config::ClientCertificate;
use crate::trust::{Purpose, Untrusted, read_named};

/// The largest certificate or key file that is read, in bytes: a long chain of large certificates has a quarter of it.
const MAX_LEN: u64 = 65_536;

/// A client certificate and its key, as they were read together.
pub struct ClientFiles {
    /// The certificate and the key in PEM form.
    pub pem: Zeroizing<Vec<u8>>,
    /// The SHA-256 of both: whether they were renewed since.
    pub sha256: [u8; 32],
}

/// Why a client certificate or its key cannot be used.
#[derive(Debug)]
pub struct ClientFileError {
    /// What the file is.
    noun: &'static str,
    /// Its path in the configuration.
    path: PathBuf,
    why: Untrusted,
}

// === impl ClientFiles ===

impl ClientFiles {
    /// Reads a client certificate and its key. Only root and `uid` can have changed them, and no other user can have read
    /// the key. Blocks.
    ///
    /// # Errors
    /// [`ClientFileError`] names the file, the reason and the remedy.
    pub fn read(files: &ClientCertificate, uid: u32) -> Result<Self, ClientFileError> {
        let cert = read(
            "client certificate",
            &files.cert,
            uid,
            Purpose::ClientCertificate,
        )?;
        let key = read(
            "client certificate's key",
            &files.key,
            uid,
            Purpose::ClientKey,
        )?;
        // Of the full size from the start: a buffer that grew would leave the key in the one that it outgrew.
        let mut pem = Zeroizing::new(Vec::with_capacity(cert.len() + 1 + key.len()));
        pem.extend_from_slice(&cert);
        pem.push(b'\n');
        pem.extend_from_slice(&key);
        let sha256 = Sha256::digest(&*pem).into();
        Ok(Self { pem, sha256 })
    }
}

fn read(
    noun: &'static str,
    path: &Path,
    uid: u32,
    purpose: Purpose,
) -> Result<Zeroizing<Vec<u8>>, ClientFileError> {
    let file = read_named(path, uid, purpose, MAX_LEN).map_err(|why| ClientFileError {
        noun,
        path: path.to_owned(),
        why,
    })?;
    Ok(file.bytes)
}

impl fmt::Debug for ClientFiles {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ClientFiles(…)")
    }
}

// === impl ClientFileError ===

impl fmt::Display for ClientFileError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let words = words(&self.path, &self.why);
        write!(f, "the {} {} {words}", self.noun, self.path.display())
    }
}

impl std::error::Error for ClientFileError {}

#[cfg(test)]
mod tests {
    use std::fs::{self, Permissions};
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    #[test]
    fn a_key_that_others_can_read_is_named_with_the_remedy() {
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
        assert_eq!(*read.pem, b"cert\nkey");
        fs::write(&files.cert, "renewed").unwrap();
        let renewed = ClientFiles::read(&files, uid).unwrap();
        assert_ne!(read.sha256, renewed.sha256);
        assert_eq!(format!("{read:?}"), "ClientFiles(…)");
    }
}
