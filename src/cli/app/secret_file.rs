//! The file that `--secret-file` names: new, ours alone, and on the disk before the call whose answer goes into it.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

use crate::credential::ClientSecret;

/// A new, empty file for a secret.
pub(super) struct SecretFile {
    file: File,
    pub(super) path: PathBuf,
}

impl SecretFile {
    /// Makes it, of mode 0600, and syncs it with its folder. A file or link that is there already is refused.
    pub(super) fn make(path: &Path) -> io::Result<Self> {
        let path = std::path::absolute(path)?;
        let file = OpenOptions::new()
            .write(true)
            .create_new(true)
            .mode(0o600)
            .open(&path)?;
        let made = Self { file, path };
        let synced = made.file.sync_all().and_then(|()| made.sync_folder());
        match synced {
            Ok(()) => Ok(made),
            Err(error) => {
                made.discard();
                Err(error)
            }
        }
    }

    /// Writes the secret and a line end, and syncs them.
    pub(super) fn keep(&self, secret: &ClientSecret) -> io::Result<()> {
        let mut file = &self.file;
        file.write_all(secret.expose().as_bytes())?;
        file.write_all(b"\n")?;
        file.sync_all()
    }

    /// Removes it, as long as it holds nothing that is of use.
    pub(super) fn discard(&self) {
        // What cannot be removed is empty, or of a key that is deleted.
        let _: io::Result<()> = fs::remove_file(&self.path);
    }

    fn sync_folder(&self) -> io::Result<()> {
        let folder = self.path.parent().unwrap_or_else(|| Path::new("/"));
        File::open(folder)?.sync_all()
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    #[test]
    fn a_secret_goes_into_a_new_file_of_ours_alone() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("secret");
        let file = SecretFile::make(&path).unwrap();
        let mode = path.metadata().unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
        assert_eq!(fs::read(&path).unwrap(), b"");
        file.keep(&ClientSecret::parse("s3cret").unwrap()).unwrap();
        assert_eq!(fs::read(&path).unwrap(), b"s3cret\n");
        SecretFile::make(&path).map(drop).unwrap_err();
        assert_eq!(fs::read(&path).unwrap(), b"s3cret\n");
        let link = dir.path().join("link");
        std::os::unix::fs::symlink(dir.path().join("elsewhere"), &link).unwrap();
        SecretFile::make(&link).map(drop).unwrap_err();
    }
}
