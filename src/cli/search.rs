//! The search for programs on `PATH`, as a shell does it.

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt as _;
use std::path::{Path, PathBuf};

use rustix::fs::{Access, AtFlags, CWD, accessat};

/// The executable files of this name in the folders of `PATH`, in their order. Skips relative folders, which depend on
/// the working directory.
pub(super) fn all_in<'a>(
    name: &'a str,
    path: Option<&'a OsStr>,
) -> impl Iterator<Item = PathBuf> + 'a {
    let folders = path.map_or(&[][..], |path| path.as_bytes());
    let folders = folders.split(|byte| *byte == b':');
    let folders = folders.map(|folder| Path::new(OsStr::from_bytes(folder)));
    let files = folders.filter(|folder| folder.is_absolute());
    let files = files.map(move |folder| folder.join(name));
    files.filter(|file| file.is_file() && is_executable(file))
}

/// Whether this user may execute the file.
pub(super) fn is_executable(file: &Path) -> bool {
    accessat(CWD, file, Access::EXEC_OK, AtFlags::EACCESS).is_ok()
}
