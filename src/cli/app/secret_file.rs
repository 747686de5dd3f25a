//! The file that `--secret-file` names: new, accessible only to us, and on the disk before the call whose answer goes
//! into it.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read as _, Write as _};
use std::os::unix::fs::{MetadataExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};

use zeroize::Zeroizing;

use crate::credential::ClientSecret;

/// The largest file that is read, in bytes: longer than any secret.
const MAX_FILE: u64 = 4 * 1024;

/// A new, empty file for a secret.
pub(super) struct SecretFile {
    file: File,
    pub(super) path: PathBuf,
}

impl SecretFile {
    /// Makes it, with mode 0600, and syncs it with its folder. Refuses an existing file or link.
    pub(super) fn make(path: &Path) -> io::Result<Self> {
        let path = std::path::absolute(path)?;
        let file = create(&path)?;
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

    /// Writes the secret and a line end, and syncs them. Replaces a file that is not empty by a new one, since a file
    /// whose earlier write failed must not be written again.
    pub(super) fn keep(&self, secret: &ClientSecret) -> io::Result<()> {
        let meta = self.file.metadata()?;
        if meta.len() == 0 {
            return self.write(&self.file, secret);
        }
        fs::remove_file(&self.path)?;
        let again = create(&self.path)?;
        self.write(&again, secret)?;
        self.sync_folder()
    }

    fn write(&self, mut file: &File, secret: &ClientSecret) -> io::Result<()> {
        let secret = secret.expose();
        let mut line = Zeroizing::new(Vec::with_capacity(secret.len() + 1));
        line.extend_from_slice(secret.as_bytes());
        line.push(b'\n');
        // Written in one piece: half a secret must not look like a whole one.
        file.write_all(&line)?;
        file.sync_all()?;
        let (written, named) = (file.metadata()?, self.path.symlink_metadata()?);
        if (written.dev(), written.ino()) == (named.dev(), named.ino()) {
            Ok(())
        } else {
            Err(io::Error::other("another file has taken its place"))
        }
    }

    /// Removes the file. The caller makes sure that it holds no secret that may be used.
    pub(super) fn discard(&self) {
        // A file that cannot be removed is empty, or its key is being deleted.
        let _: io::Result<()> = fs::remove_file(&self.path);
    }

    fn sync_folder(&self) -> io::Result<()> {
        let folder = self.path.parent().unwrap_or_else(|| Path::new("/"));
        File::open(folder)?.sync_all()
    }
}

fn create(path: &Path) -> io::Result<File> {
    OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(path)
}

/// Reads the secret from such a file; `None` if the file is gone, empty, or not a regular file of this size.
pub(super) fn read(path: &Path) -> io::Result<Option<ClientSecret>> {
    let is_there = |meta: &fs::Metadata| meta.is_file() && (1..=MAX_FILE).contains(&meta.len());
    match path.symlink_metadata() {
        Ok(meta) if is_there(&meta) => {}
        Ok(_) => return Ok(None),
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(error),
    }
    // Allocated at the largest size, so that no growth leaves a copy behind.
    let mut bytes = Zeroizing::new(Vec::with_capacity(MAX_FILE as usize + 1));
    File::open(path)?.take(MAX_FILE).read_to_end(&mut bytes)?;
    let text = std::str::from_utf8(&bytes).unwrap_or_default();
    let line = text.strip_suffix('\n').unwrap_or(text);
    Ok(ClientSecret::parse(line).ok())
}

/// Removes a file that was made for a secret, if it is still empty.
pub(super) fn remove_if_empty(path: &Path) {
    let is_empty = |meta: fs::Metadata| meta.is_file() && meta.len() == 0;
    if path.symlink_metadata().is_ok_and(is_empty) {
        // A file that cannot be removed is empty.
        let _: io::Result<()> = fs::remove_file(path);
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    #[test]
    fn a_secret_is_written_to_a_new_file_of_mode_0600() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("secret");
        let file = SecretFile::make(&path).unwrap();
        let mode = path.metadata().unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
        assert_eq!(fs::read(&path).unwrap(), b"");
        file.keep(&ClientSecret::parse("s3cret").unwrap()).unwrap();
        assert_eq!(fs::read(&path).unwrap(), b"s3cret\n");
        SecretFile::make(&path).map(drop).unwrap_err();
        assert_eq!(read(&path).unwrap().unwrap().expose(), "s3cret");
        assert!(read(&dir.path().join("other")).unwrap().is_none());
        remove_if_empty(&path);
        assert_eq!(fs::read(&path).unwrap(), b"s3cret\n");
        let link = dir.path().join("link");
        std::os::unix::fs::symlink(dir.path().join("elsewhere"), &link).unwrap();
        SecretFile::make(&link).map(drop).unwrap_err();
    }

    #[test]
    fn a_second_secret_replaces_the_first_in_a_file_of_mode_0600() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("secret");
        let file = SecretFile::make(&path).unwrap();
        for secret in ["first-secret", "2nd"] {
            file.keep(&ClientSecret::parse(secret).unwrap()).unwrap();
            assert_eq!(fs::read_to_string(&path).unwrap(), format!("{secret}\n"));
            let mode = path.metadata().unwrap().permissions().mode();
            assert_eq!(mode & 0o777, 0o600);
        }
    }

    #[test]
    fn no_secret_is_written_to_a_file_that_was_moved_or_replaced() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("secret");
        let secret = ClientSecret::parse("s3cret").unwrap();
        let file = SecretFile::make(&path).unwrap();
        fs::remove_file(&path).unwrap();
        file.keep(&secret).unwrap_err();
        let file = SecretFile::make(&path).unwrap();
        fs::rename(&path, dir.path().join("moved")).unwrap();
        fs::write(&path, "").unwrap();
        file.keep(&secret).unwrap_err();
        remove_if_empty(&path);
        assert!(!path.exists());
    }
}
