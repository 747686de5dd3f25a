//! A new file under a temporary name, before it gets its final name.

use std::ffi::OsStr;
use std::fs::File;
use std::io::{self, Write as _};
use std::path::Path;

use rustix::fs::{AtFlags, Mode, OFlags};
use rustix::io::Errno;
use tempfile::TempPath;

use super::attributes::Attributes;
use super::error::ReplaceError;
use super::identity::Identity;

/// A file with a temporary name. Dropping it removes the file.
#[derive(Debug)]
pub(crate) struct NewFile<'a> {
    folder: &'a File,
    file: File,
    path: TempPath,
}

impl<'a> NewFile<'a> {
    /// Creates an empty file in an open folder, whose path is used only for cleaning up. Its name begins with `prefix`.
    /// It has these attributes before it has any content.
    pub(super) fn make(
        folder: &'a File,
        path: &Path,
        prefix: &str,
        attributes: Attributes,
    ) -> Result<Self, ReplaceError> {
        let step = |action| move |source| ReplaceError::before(action, source);
        let new = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL;
        let temporary = tempfile::Builder::new()
            .prefix(prefix)
            .make_in(path, |path| {
                let name = path.file_name().ok_or(io::ErrorKind::InvalidInput)?;
                open_in(folder, name, new)
            })
            .map_err(step("make a file beside it"))?;
        let (file, path) = temporary.into_parts();
        attributes
            .apply(&file)
            .map_err(step("keep its owner and mode"))?;
        Ok(Self { folder, file, path })
    }

    /// Returns its temporary name.
    pub(crate) fn name(&self) -> &OsStr {
        self.path.file_name().unwrap_or_default()
    }

    /// Returns its identity, which the rename keeps.
    pub(crate) fn identity(&self) -> io::Result<Identity> {
        Identity::of(&self.file)
    }

    /// Writes its content, and syncs it.
    pub(crate) fn fill(&mut self, bytes: &[u8]) -> Result<(), ReplaceError> {
        let step = |action| move |source| ReplaceError::before(action, source);
        self.file.write_all(bytes).map_err(step("write it"))?;
        self.file.sync_all().map_err(step("sync it"))
    }

    /// Renames it to its final name, and replaces any existing file.
    pub(crate) fn put(self, name: &OsStr) -> Result<(), ReplaceError> {
        rustix::fs::renameat(self.folder, self.name(), self.folder, name)
            .map_err(|e| ReplaceError::before("rename it into place", e.into()))?;
        self.finish()
    }

    /// Renames it to its final name, if that is free. Otherwise the error is [`io::ErrorKind::AlreadyExists`].
    pub(crate) fn put_new(self, name: &OsStr) -> Result<(), ReplaceError> {
        self.take_name(name)
            .map_err(|source| ReplaceError::before("rename it into place", source))?;
        self.finish()
    }

    fn take_name(&self, name: &OsStr) -> io::Result<()> {
        let folder = self.folder;
        #[cfg(target_os = "linux")]
        {
            use rustix::fs::{RenameFlags, renameat_with};
            match renameat_with(folder, self.name(), folder, name, RenameFlags::NOREPLACE) {
                // Some network file systems do not support this.
                Err(Errno::INVAL | Errno::NOSYS | Errno::NOTSUP) => {}
                result => return Ok(result?),
            }
        }
        match rustix::fs::linkat(folder, self.name(), folder, name, AtFlags::empty()) {
            Ok(()) => Ok(rustix::fs::unlinkat(folder, self.name(), AtFlags::empty())?),
            // The file system has no hard links either. A file that is created there at this very moment is lost.
            Err(Errno::PERM | Errno::NOTSUP | Errno::NOSYS) => match Identity::at(folder, name)? {
                Some(_) => Err(Errno::EXIST.into()),
                None => Ok(rustix::fs::renameat(folder, self.name(), folder, name)?),
            },
            Err(e) => Err(e.into()),
        }
    }

    fn finish(self) -> Result<(), ReplaceError> {
        let (folder, mut path): (&File, TempPath) = (self.folder, self.path);
        path.disable_cleanup(true);
        sync(folder).map_err(|source| ReplaceError {
            action: "sync its folder",
            source,
            replaced: true,
        })
    }
}

/// Opens a file of a folder, which must not be a link, with further flags.
pub(super) fn open_in(folder: &File, name: &OsStr, flags: OFlags) -> io::Result<File> {
    let flags = flags | OFlags::CLOEXEC | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::NOCTTY;
    let fd = rustix::fs::openat(folder, name, flags, Mode::from_raw_mode(0o600))?;
    Ok(File::from(fd))
}

/// Syncs the renames in a folder. Some network file systems report that they cannot do this; there the renames stay
/// unsynced.
pub(super) fn sync(folder: &File) -> io::Result<()> {
    match rustix::fs::fsync(folder) {
        Err(Errno::INVAL | Errno::NOTSUP) => Ok(()),
        result => Ok(result?),
    }
}
