//! A folder held by its descriptor, with atomic replacement of the files in it.
//!
//! Everything is relative to the descriptor, so the judged folder is the one that is written to, even if its path leads
//! elsewhere a moment later. This lets root write into the folder of an unprivileged daemon.

use std::ffi::{OsStr, OsString};
use std::fs::File;
use std::io;
use std::os::unix::ffi::OsStringExt as _;
use std::path::{Path, PathBuf};

use rustix::fs::{AtFlags, FileType, Mode, OFlags};
use rustix::io::Errno;

mod attributes;
mod error;
mod identity;
mod new_file;

pub(crate) use attributes::Attributes;
pub(crate) use error::ReplaceError;
pub(crate) use identity::Identity;
pub(crate) use new_file::NewFile;

/// The prefix of a temporary file's name. No profile's name begins with a dot.
const TEMPORARY: &str = ".jeton-new-";

/// Reports whether this is the name of a temporary file, which a killed process may have left.
pub(crate) fn is_temporary(name: &OsStr) -> bool {
    name.as_encoded_bytes().starts_with(TEMPORARY.as_bytes())
}

/// Returns the writer's key in the name of a temporary file. A random part follows it; see [`Folder::replace_as`].
fn writer_of(name: &[u8]) -> Option<&str> {
    let name = std::str::from_utf8(name).ok()?.strip_prefix(TEMPORARY)?;
    name.rsplit_once('-').map(|(writer, _)| writer)
}

/// A folder that is open.
#[derive(Debug)]
pub(crate) struct Folder {
    file: File,
    path: PathBuf,
}

impl Folder {
    /// Wraps the folder at `path`, which was opened and judged as `file`. The path is used only for cleaning up and for
    /// messages.
    pub(crate) fn new(file: File, path: &Path) -> Self {
        Self {
            file,
            path: path.to_owned(),
        }
    }

    /// Opens the folder `path`.
    pub(crate) fn open(path: &Path) -> io::Result<Self> {
        let flags = OFlags::RDONLY | OFlags::CLOEXEC | OFlags::DIRECTORY;
        let fd = rustix::fs::open(path, flags, Mode::empty())?;
        Ok(Self::new(File::from(fd), path))
    }

    /// Opens the file `name`, which must not be a link, with further flags.
    pub(crate) fn open_file(&self, name: &OsStr, flags: OFlags) -> io::Result<File> {
        new_file::open_in(&self.file, name, flags)
    }

    /// Replaces the file `name` by one with these bytes. Readers see the old file or the new one, never a part, and
    /// after a crash one of them is there. If it fails, the temporary file is removed.
    ///
    /// A failed fsync is not retried on the same file: the kernel may have dropped the pages and report success the
    /// second time (PostgreSQL's "fsyncgate").
    pub(crate) fn replace(
        &self,
        name: &OsStr,
        bytes: &[u8],
        attributes: Attributes,
    ) -> Result<(), ReplaceError> {
        self.replace_through(TEMPORARY, name, bytes, attributes)
    }

    /// Does the same for writers that each have a lock of their own: the temporary file's name contains the writer's
    /// key.
    pub(crate) fn replace_as(
        &self,
        writer: &str,
        name: &OsStr,
        bytes: &[u8],
        attributes: Attributes,
    ) -> Result<(), ReplaceError> {
        let prefix = format!("{TEMPORARY}{writer}-");
        self.replace_through(&prefix, name, bytes, attributes)
    }

    fn replace_through(
        &self,
        prefix: &str,
        name: &OsStr,
        bytes: &[u8],
        attributes: Attributes,
    ) -> Result<(), ReplaceError> {
        let mut new = NewFile::make(&self.file, &self.path, prefix, attributes)?;
        new.fill(bytes)?;
        new.put(name)
    }

    /// Creates an empty file with these attributes, to be filled and put in place in further steps. The temporary
    /// file's name contains the writer's key.
    pub(crate) fn create_temporary(
        &self,
        writer: &str,
        attributes: Attributes,
    ) -> Result<NewFile<'_>, ReplaceError> {
        NewFile::make(
            &self.file,
            &self.path,
            &format!("{TEMPORARY}{writer}-"),
            attributes,
        )
    }

    /// Returns the identity of the entry `name`; `None` if there is none.
    pub(crate) fn identity(&self, name: &OsStr) -> io::Result<Option<Identity>> {
        Identity::at(&self.file, name)
    }

    /// Removes the file `name`. Returns whether there was one.
    pub(crate) fn remove(&self, name: &OsStr) -> Result<bool, ReplaceError> {
        match rustix::fs::unlinkat(&self.file, name, AtFlags::empty()) {
            Ok(()) => {}
            Err(Errno::NOENT) => return Ok(false),
            Err(e) => return Err(ReplaceError::before("remove it", e.into())),
        }
        new_file::sync(&self.file).map_err(|source| ReplaceError {
            action: "sync its folder",
            source,
            replaced: true,
        })?;
        Ok(true)
    }

    /// Removes the temporary files that killed processes have left: they may hold a secret. Call it only while holding
    /// the lock of all writers. A file that cannot be removed stays for the next writer.
    pub(crate) fn sweep(&self) {
        self.sweep_of(|_| true);
    }

    /// Does the same for writers that each have a lock of their own. `has_ended` reports whether no process is this
    /// writer now; its argument is `None` if the name does not contain a key. It is called after the file was seen, so
    /// a file that is created later is not mistaken for a left-over.
    pub(crate) fn sweep_of(&self, mut has_ended: impl FnMut(Option<&str>) -> bool) {
        let Ok(entries) = rustix::fs::Dir::read_from(&self.file) else {
            return;
        };
        for entry in entries.flatten() {
            let name = entry.file_name().to_bytes();
            if name.starts_with(TEMPORARY.as_bytes()) && has_ended(writer_of(name)) {
                let _ = rustix::fs::unlinkat(&self.file, entry.file_name(), AtFlags::empty());
            }
        }
    }

    /// Removes the empty temporary files of a writer that was killed before it wrote anything. `is_ours` decides by the
    /// file's owner.
    pub(crate) fn sweep_empty_of(&self, writer: &str, is_ours: impl Fn(u32) -> bool) {
        let Ok(entries) = rustix::fs::Dir::read_from(&self.file) else {
            return;
        };
        for entry in entries.flatten() {
            let name = entry.file_name();
            if writer_of(name.to_bytes()) != Some(writer) {
                continue;
            }
            let found = rustix::fs::statat(&self.file, name, AtFlags::SYMLINK_NOFOLLOW);
            let is_it = found.is_ok_and(|stat| {
                let is_file = FileType::from_raw_mode(stat.st_mode) == FileType::RegularFile;
                is_file && stat.st_size == 0 && is_ours(stat.st_uid)
            });
            if is_it {
                let _ = rustix::fs::unlinkat(&self.file, name, AtFlags::empty());
            }
        }
    }

    /// Removes the name of a file without syncing the folder, as for a lock.
    pub(crate) fn unlink(&self, name: &OsStr) -> io::Result<()> {
        Ok(rustix::fs::unlinkat(&self.file, name, AtFlags::empty())?)
    }

    /// Reports whether the file is the one with this name. A network file system may keep the name in its cache for
    /// longer than the file exists; the file's link count is then zero.
    pub(crate) fn is(&self, name: &OsStr, file: &File) -> bool {
        let there = rustix::fs::statat(&self.file, name, AtFlags::SYMLINK_NOFOLLOW);
        let (Ok(ours), Ok(there)) = (rustix::fs::fstat(file), there) else {
            return false;
        };
        ours.st_nlink != 0 && (ours.st_dev, ours.st_ino) == (there.st_dev, there.st_ino)
    }

    /// Returns the names of the entries in it.
    pub(crate) fn names(&self) -> io::Result<Vec<OsString>> {
        let mut names = vec![];
        for entry in rustix::fs::Dir::read_from(&self.file)? {
            let name = entry?.file_name().to_bytes().to_owned();
            if name != b"." && name != b".." {
                names.push(OsString::from_vec(name));
            }
        }
        names.sort();
        Ok(names)
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::{MetadataExt as _, symlink};

    use super::*;

    fn ours(mode: u16) -> Attributes {
        Attributes {
            owner: rustix::process::geteuid().as_raw(),
            group: None,
            mode,
        }
    }

    fn names(path: &Path) -> Vec<String> {
        let mut names: Vec<_> = std::fs::read_dir(path)
            .unwrap()
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .collect();
        names.sort();
        names
    }

    #[test]
    fn a_file_is_replaced_atomically_without_leftovers() {
        let dir = tempfile::tempdir().unwrap();
        let folder = Folder::open(dir.path()).unwrap();
        let file = dir.path().join("f");
        symlink("/dev/null", &file).unwrap();
        for mode in [0o600, 0o644] {
            folder.replace(OsStr::new("f"), b"new", ours(mode)).unwrap();
            assert_eq!(std::fs::read(&file).unwrap(), b"new");
            let meta = file.symlink_metadata().unwrap();
            assert!(meta.is_file(), "the link itself was replaced");
            assert_eq!(meta.mode() & 0o777, u32::from(mode));
        }
        assert_eq!(names(dir.path()), ["f"]);
        assert!(folder.remove(OsStr::new("f")).unwrap());
        assert!(!folder.remove(OsStr::new("f")).unwrap());
    }

    #[test]
    fn a_failed_replacement_keeps_the_old_file_and_leaves_no_temporary_file() {
        let dir = tempfile::tempdir().unwrap();
        let folder = Folder::open(dir.path()).unwrap();
        // A folder in the file's place makes the rename fail even for root.
        std::fs::create_dir(dir.path().join("f")).unwrap();
        std::fs::write(dir.path().join("f/old"), "").unwrap();
        let err = folder
            .replace(OsStr::new("f"), b"new", ours(0o600))
            .unwrap_err();
        assert_eq!((err.action, err.replaced), ("rename it into place", false));
        assert_eq!(names(dir.path()), ["f"]);
        assert_eq!(names(&dir.path().join("f")), ["old"]);
    }

    #[test]
    fn a_sweep_removes_only_temporary_files_of_killed_processes() {
        let dir = tempfile::tempdir().unwrap();
        for name in [".jeton-new-abc", ".lock", "a.json"] {
            std::fs::write(dir.path().join(name), "").unwrap();
        }
        Folder::open(dir.path()).unwrap().sweep();
        assert_eq!(names(dir.path()), [".lock", "a.json"]);
    }

    #[test]
    fn a_temporary_file_is_swept_only_when_its_writer_has_ended() {
        let dir = tempfile::tempdir().unwrap();
        for name in ["abc", "a-b-abc", "a-abc", "a.b-abc"] {
            std::fs::write(dir.path().join(format!(".jeton-new-{name}")), "").unwrap();
        }
        let mut asked = vec![];
        Folder::open(dir.path()).unwrap().sweep_of(|writer| {
            asked.push(writer.map(str::to_owned));
            writer == Some("a")
        });
        asked.sort();
        let writers = [Some("a"), Some("a-b"), Some("a.b")];
        assert_eq!(asked[0], None);
        assert_eq!(asked[1..], writers.map(|writer| writer.map(str::to_owned)));
        let left = [".jeton-new-a-b-abc", ".jeton-new-a.b-abc", ".jeton-new-abc"];
        assert_eq!(names(dir.path()), left);
    }

    #[test]
    fn a_removed_file_does_not_match_a_name_that_still_resolves_to_it() {
        let dir = tempfile::tempdir().unwrap();
        let (path, name) = (dir.path().join("folder"), OsStr::new("."));
        std::fs::create_dir(&path).unwrap();
        let (folder, file) = (Folder::open(&path).unwrap(), File::open(&path).unwrap());
        assert!(folder.is(name, &file));
        // A removed folder still has its dot, like a name in the cache of a network file system.
        std::fs::remove_dir(&path).unwrap();
        assert!(rustix::fs::statat(&folder.file, name, AtFlags::empty()).is_ok());
        assert!(!folder.is(name, &file));
    }

    #[test]
    fn writes_go_to_the_opened_folder_even_if_its_path_was_swapped() {
        let dir = tempfile::tempdir().unwrap();
        let (good, evil) = (dir.path().join("good"), dir.path().join("evil"));
        std::fs::create_dir(&good).unwrap();
        std::fs::create_dir(&evil).unwrap();
        let folder = Folder::open(&good).unwrap();
        std::fs::rename(&good, dir.path().join("moved")).unwrap();
        symlink(&evil, &good).unwrap();
        folder.replace(OsStr::new("f"), b"x", ours(0o600)).unwrap();
        assert_eq!(names(&dir.path().join("moved")), ["f"]);
        assert!(names(&evil).is_empty());
    }
}
