//! The exported file: new, accessible only to us, and on the disk before any step relies on it.

use std::fmt;
use std::fs;
use std::io::{self, Read as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

use rustix::fs::OFlags;
use rustix::io::Errno;
use sha2::{Digest as _, Sha256};
use zeroize::Zeroizing;

use super::super::output::Exit;
use super::super::target::Target;
use crate::folder::{Attributes, Folder, is_temporary};
use crate::settings;
use crate::transfer::MAX_LEN;
use crate::trust::is_full;

/// The largest file that is read, in bytes: the largest content, the bytes that encryption adds, and half as much again
/// for an armored file.
const MAX_FILE: u64 = (MAX_LEN + MAX_LEN / 2) as u64;

/// A file that was made.
pub(super) struct CreatedFile(PathBuf);

/// The reason why a file was not written.
#[derive(Debug)]
pub(in super::super) struct FileError {
    action: &'static str,
    source: io::Error,
}

/// Makes a file of mode 0600 with these bytes, synced with its folder. Never overwrites a file. The caller holds the
/// lock of the target's configuration, so the temporary files of its killed exports are removed from the folder.
pub(super) fn make(path: &Path, bytes: &[u8], target: &Target) -> Result<CreatedFile, FileError> {
    let failed = |action| move |source| FileError { action, source };
    let (Some(parent), Some(name)) = (path.parent(), path.file_name()) else {
        return Err(failed("write it")(io::ErrorKind::InvalidFilename.into()));
    };
    let folder = Folder::open(parent).map_err(failed("open its folder"))?;
    let writer = writer(target);
    folder.sweep_of(|other| other == Some(&writer));
    let attributes = Attributes {
        owner: target.uid,
        group: None,
        mode: 0o600,
    };
    let written = || {
        let mut new = folder.create_temporary(&writer, attributes)?;
        new.fill(bytes)?;
        new.put_new(name)
    };
    match written() {
        Ok(()) => Ok(CreatedFile(path.to_owned())),
        Err(error) => {
            if error.replaced {
                CreatedFile(path.to_owned()).discard();
            }
            Err(failed(error.action)(error.source))
        }
    }
}

/// The temporary file that a killed export of the target's configuration left beside this file.
pub(in super::super) fn unfinished(path: &Path, target: &Target) -> Option<PathBuf> {
    let (parent, writer) = (path.parent()?, writer(target));
    let names = Folder::open(parent).ok()?.names().ok()?;
    let mut left = names.into_iter().filter(|name| {
        let is_ours = name.to_string_lossy().contains(&writer);
        is_temporary(name) && is_ours
    });
    left.next().map(|name| parent.join(name))
}

/// The name of this writer. Several configurations may export into one folder, each under a lock of its own. If two
/// machines with the same paths export there at once, one of them fails, and nothing is removed.
fn writer(target: &Target) -> String {
    let config = settings::real_path(&target.config);
    let hash: [u8; 32] = Sha256::digest(config.as_os_str().as_encoded_bytes()).into();
    let half = hash.iter().take(16).map(|byte| format!("{byte:02x}"));
    format!("export-{}", half.collect::<String>())
}

/// Reads a whole file. Refuses a file that is not regular, or far too large.
pub(in super::super) fn read(path: &Path) -> Result<Zeroizing<Vec<u8>>, FileError> {
    let failed = |action| move |source| FileError { action, source };
    let flags = OFlags::NONBLOCK | OFlags::NOCTTY | OFlags::CLOEXEC;
    let flags = i32::try_from(flags.bits()).unwrap_or_default();
    let file = fs::OpenOptions::new()
        .read(true)
        .custom_flags(flags)
        .open(path)
        .map_err(failed("open it"))?;
    let meta = file.metadata().map_err(failed("read its state"))?;
    if !meta.is_file() {
        let source = io::Error::other("it is not a regular file");
        return Err(failed("read it")(source));
    }
    if meta.len() > MAX_FILE {
        return Err(failed("read it")(Errno::FBIG.into()));
    }
    let mut bytes = Zeroizing::new(vec![]);
    let read = file.take(MAX_FILE + 1).read_to_end(&mut bytes);
    match read.map_err(failed("read it"))? {
        len if len as u64 > MAX_FILE => Err(failed("read it")(Errno::FBIG.into())),
        _ => Ok(bytes),
    }
}

// === impl Made ===

impl CreatedFile {
    /// Removes the file, after it could not be completed or read back.
    pub(super) fn discard(&self) {
        // A file that cannot be removed needs the passphrase, and holds nothing that is not here as well.
        let _: io::Result<()> = fs::remove_file(&self.0);
    }
}

// === impl FileError ===

impl FileError {
    /// The exit code of a command that could not write the file: there may be room later.
    pub(super) fn exit(&self) -> Exit {
        match is_full(&self.source) {
            true => Exit::Later,
            false => Exit::Config,
        }
    }
}

impl fmt::Display for FileError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.source.kind() == io::ErrorKind::AlreadyExists {
            return f.write_str("it exists already, and no file is overwritten");
        }
        write!(f, "cannot {}: {}", self.action, self.source)
    }
}
