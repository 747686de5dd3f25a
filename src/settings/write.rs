//! Writes the configuration atomically: either the old file or the new one is in place.

use std::ffi::OsString;
use std::fmt;
use std::io;
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};

use crate::folder::{Attributes, Folder};
use crate::trust::{TrustFault, is_full, make_folders};

/// The most links that are followed, as many as Linux follows.
const MAX_LINKS: usize = 40;

/// The users who may read a new file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FileReaders {
    /// The owner alone: a user's own configuration.
    Owner,
    /// Every user: a system's configuration, which root writes and the daemon's user reads. It holds no secret.
    Everyone,
}

/// The reason why a configuration was not written, or not certainly.
#[derive(Debug)]
pub struct WriteError {
    /// The file.
    pub path: PathBuf,
    /// The action that failed, as a verb with its object.
    pub action: &'static str,
    /// Whether the new text is in place anyway. It might then be lost in a power failure.
    pub replaced: bool,
    source: io::Error,
}

/// Replaces the configuration. An existing file keeps its owner, group and mode; if `path` is a link, its target is
/// replaced. A new file and the folders created for it belong to `uid` and are readable for `readers`.
///
/// # Errors
/// [`WriteError`] if the file could not be replaced. It is then unchanged, unless the error says otherwise.
pub fn write_config(
    path: &Path,
    text: &str,
    uid: u32,
    readers: FileReaders,
) -> Result<(), WriteError> {
    let fail = |action| move |source| WriteError::new(path, action, source);
    let (folder, target) = place(path, uid, readers)?;
    let Target { name, existing } = target;
    let is_root = rustix::process::geteuid().is_root();
    let file_mode = match readers {
        FileReaders::Owner => 0o600,
        FileReaders::Everyone => 0o644,
    };
    let attributes = match existing {
        None => Attributes {
            owner: uid,
            group: None,
            mode: file_mode,
        },
        Some(meta) if meta.is_file() => Attributes {
            // Only root can give a file to another user. A file that another user lets us write becomes ours.
            owner: if is_root { meta.uid() } else { uid },
            group: Some(meta.gid()),
            mode: u16::try_from(meta.permissions().mode() & 0o777).unwrap_or(file_mode),
        },
        Some(_) => {
            return Err(fail("replace it")(io::Error::other(
                "it is not a regular file",
            )));
        }
    };
    Folder::open(&folder)
        .map_err(fail("open its folder"))?
        .replace(&name, text.as_bytes(), attributes)
        .map_err(|e| WriteError {
            path: path.to_owned(),
            action: e.action,
            replaced: e.replaced,
            source: e.source,
        })
}

/// A file in its folder.
pub(super) struct Target {
    name: OsString,
    existing: Option<std::fs::Metadata>,
}

/// Finds the folder of a configuration, following links, and the file in it. Creates a missing folder.
pub(super) fn place(
    path: &Path,
    uid: u32,
    readers: FileReaders,
) -> Result<(PathBuf, Target), WriteError> {
    let fail = |action| move |source| WriteError::new(path, action, source);
    let (real, existing) = target(path).map_err(fail("follow it"))?;
    let (Some(folder), Some(name)) = (real.parent(), real.file_name()) else {
        return Err(fail("write it")(io::ErrorKind::InvalidFilename.into()));
    };
    let mode = match readers {
        FileReaders::Owner => 0o700,
        FileReaders::Everyone => 0o755,
    };
    make_folders(folder, uid, mode).map_err(|e| {
        // The system's own error, so that a full disk is recognised.
        let full = match &e.why {
            TrustFault::Io { source, .. } if is_full(source) => source.raw_os_error(),
            _ => None,
        };
        let source = full.map_or_else(|| io::Error::other(e), io::Error::from_raw_os_error);
        fail("make its folder")(source)
    })?;
    let folder = if folder.as_os_str().is_empty() {
        Path::new(".")
    } else {
        folder
    };
    let name = name.to_owned();
    Ok((folder.to_owned(), Target { name, existing }))
}

/// Follows a path to its target, and returns the target's metadata. A link may lead to a file that does not exist yet.
fn target(path: &Path) -> io::Result<(PathBuf, Option<std::fs::Metadata>)> {
    let mut path = path.to_owned();
    for _ in 0..=MAX_LINKS {
        match path.symlink_metadata() {
            Ok(meta) if meta.is_symlink() => {
                let link = path.read_link()?;
                path = path.parent().unwrap_or(Path::new("")).join(link);
            }
            Ok(meta) => return Ok((path, Some(meta))),
            Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok((path, None)),
            Err(e) => return Err(e),
        }
    }
    Err(io::Error::other("too many symbolic links"))
}

// === impl WriteError ===

impl WriteError {
    /// Creates an error of the system's for `action`, with nothing changed.
    pub(super) fn new(path: &Path, action: &'static str, source: io::Error) -> Self {
        Self {
            path: path.to_owned(),
            action,
            replaced: false,
            source,
        }
    }

    /// Reports whether the disk or the quota is full.
    pub fn is_full(&self) -> bool {
        is_full(&self.source)
    }
}

impl fmt::Display for WriteError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let path = self.path.display();
        let action = self.action;
        if self.replaced {
            write!(
                f,
                "{path}: it is written, but may be lost in a power failure: cannot {action}"
            )
        } else if self.is_full() {
            let source = &self.source;
            write!(
                f,
                "{path}: cannot {action}; it is as it was: {source}: make room there and try again"
            )
        } else {
            write!(f, "{path}: cannot {action}; it is as it was")
        }
    }
}

impl std::error::Error for WriteError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        // The message about a full disk already contains this error.
        let is_told = self.is_full() && !self.replaced;
        (!is_told).then_some(&self.source as _)
    }
}

#[cfg(test)]
mod tests {
    use std::fs::{self, Permissions};
    use std::os::unix::fs::symlink;

    use super::*;

    fn write(path: &Path, text: &str, readers: FileReaders) -> Result<(), WriteError> {
        write_config(path, text, rustix::process::geteuid().as_raw(), readers)
    }

    fn mode(path: &Path) -> u32 {
        path.metadata().unwrap().permissions().mode() & 0o777
    }

    #[test]
    fn a_new_file_and_its_folders_are_private_or_readable_by_all() {
        let dir = tempfile::tempdir().unwrap();
        let private = dir.path().join("a/b/config.toml");
        write(&private, "x", FileReaders::Owner).unwrap();
        assert_eq!(fs::read(&private).unwrap(), b"x");
        assert_eq!(
            (mode(&private), mode(&dir.path().join("a"))),
            (0o600, 0o700)
        );
        let public = dir.path().join("c/config.toml");
        write(&public, "x", FileReaders::Everyone).unwrap();
        assert_eq!((mode(&public), mode(&dir.path().join("c"))), (0o644, 0o755));
    }

    #[test]
    fn writing_keeps_the_mode_of_a_file_and_the_link_to_it() {
        let dir = tempfile::tempdir().unwrap();
        let (real, link) = (dir.path().join("real"), dir.path().join("link"));
        fs::write(&real, "old").unwrap();
        fs::set_permissions(&real, Permissions::from_mode(0o640)).unwrap();
        symlink("real", &link).unwrap();
        write(&link, "new", FileReaders::Owner).unwrap();
        assert!(link.is_symlink());
        assert_eq!(
            (fs::read(&real).unwrap(), mode(&real)),
            (b"new".to_vec(), 0o640)
        );
        symlink("later/config.toml", dir.path().join("dangling")).unwrap();
        write(&dir.path().join("dangling"), "x", FileReaders::Owner).unwrap();
        assert_eq!(
            fs::read(dir.path().join("later/config.toml")).unwrap(),
            b"x"
        );
    }

    #[test]
    fn writing_to_a_folder_or_a_link_cycle_is_refused_without_leftovers() {
        let dir = tempfile::tempdir().unwrap();
        symlink("ring", dir.path().join("ring")).unwrap();
        fs::create_dir(dir.path().join("folder")).unwrap();
        for bad in ["ring", "folder"] {
            let e = write(&dir.path().join(bad), "x", FileReaders::Owner).unwrap_err();
            assert!(e.to_string().ends_with("it is as it was"), "{e}");
        }
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 2);
    }
}
