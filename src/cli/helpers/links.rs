//! Links to the companion in one folder. All changes go through the folder's descriptor, so they affect the folder that
//! was checked.

use std::ffi::OsString;
use std::fs::File;
use std::io;
use std::os::unix::ffi::OsStringExt as _;
use std::path::{Path, PathBuf};

use rustix::fs::{AtFlags, RenameFlags};
use rustix::io::Errno;

use super::super::target::lines::quoted;
use crate::trust::{UntrustedPath, open_links_folder};

/// The prefix of the name that a link has while it is being removed.
const REMOVED: &str = ".jeton-removed-";

/// An open folder of links, whose owner and mode were checked.
#[derive(Debug)]
pub(super) struct Links {
    folder: File,
    path: PathBuf,
    /// The target of our links.
    jeton: PathBuf,
}

/// The file at a name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum LinkState {
    /// Nothing.
    Nothing,
    /// A link to our companion.
    Ours,
    /// A link to something else.
    Link(PathBuf),
    /// A file that is not a link.
    Other,
}

// === impl Links ===

impl Links {
    /// Opens the folder, whose links lead to this companion.
    ///
    /// # Errors
    /// [`UntrustedPath`] if users other than root and `uid` could change it or a folder above it.
    pub(super) fn open(path: &Path, uid: u32, jeton: PathBuf) -> Result<Self, UntrustedPath> {
        let (folder, path) = open_links_folder(path, uid)?;
        Ok(Self {
            folder,
            path,
            jeton,
        })
    }

    /// The folder's path without links.
    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// The path of a name.
    pub(super) fn path_of(&self, name: &str) -> PathBuf {
        self.path.join(name)
    }

    /// The target of our links.
    pub(super) fn jeton(&self) -> &Path {
        &self.jeton
    }

    /// Examines the file of this name.
    ///
    /// # Errors
    /// The system's.
    pub(super) fn at(&self, name: &str) -> io::Result<LinkState> {
        match rustix::fs::readlinkat(&self.folder, name, vec![]) {
            Ok(to) => {
                let to = PathBuf::from(OsString::from_vec(to.into_bytes()));
                Ok(match to == self.jeton {
                    // Compares bytes: `/a/./b` is not a path that we write.
                    true if to.as_os_str() == self.jeton.as_os_str() => LinkState::Ours,
                    _ => LinkState::Link(to),
                })
            }
            Err(Errno::NOENT) => Ok(LinkState::Nothing),
            Err(Errno::INVAL) => Ok(LinkState::Other),
            Err(error) => Err(error.into()),
        }
    }

    /// Makes the link, unless a file is there: one system call, which replaces nothing. Returns the file that was
    /// there.
    ///
    /// # Errors
    /// The system's.
    pub(super) fn make(&self, name: &str) -> io::Result<LinkState> {
        match rustix::fs::symlinkat(&self.jeton, &self.folder, name) {
            Ok(()) => Ok(LinkState::Nothing),
            Err(Errno::EXIST) => self.at(name),
            Err(error) => Err(error.into()),
        }
    }

    /// Removes the link if it is ours. Returns the file that was there.
    ///
    /// The link is renamed to a name that no other program knows, and examined again there: another program may have
    /// replaced it meanwhile.
    ///
    /// # Errors
    /// The system's.
    pub(super) fn remove(&self, name: &str) -> io::Result<LinkState> {
        let there = self.at(name)?;
        if there != LinkState::Ours {
            return Ok(there);
        }
        let aside = format!("{REMOVED}{}", std::process::id());
        match self.rename(name, &aside) {
            Ok(()) => {}
            Err(Errno::NOENT) => return Ok(LinkState::Nothing),
            // This file system cannot rename without replacing.
            Err(Errno::INVAL | Errno::NOSYS | Errno::NOTSUP) => {
                self.unlink(name)?;
                return Ok(LinkState::Ours);
            }
            Err(error) => return Err(error.into()),
        }
        let there = self.at(&aside)?;
        if there == LinkState::Ours {
            self.unlink(&aside)?;
        } else if let Err(error) = self.rename(&aside, name) {
            let aside = quoted(&self.path_of(&aside));
            return Err(io::Error::other(format!(
                "what took its place meanwhile is now at {aside} ({error})"
            )));
        }
        Ok(there)
    }

    /// Removes our links that killed commands left in the middle of [`Self::remove`].
    pub(super) fn sweep(&self) {
        for name in self.names().unwrap_or_default() {
            let is_ours = |name: &str| self.at(name).is_ok_and(|there| there == LinkState::Ours);
            if let Some(name) = name.to_str().filter(|name| name.starts_with(REMOVED))
                && is_ours(name)
            {
                let _: io::Result<()> = self.unlink(name);
            }
        }
    }

    /// The names of the folder's files.
    ///
    /// # Errors
    /// The system's.
    pub(super) fn names(&self) -> io::Result<Vec<OsString>> {
        let mut names = vec![];
        for entry in rustix::fs::Dir::read_from(&self.folder)? {
            let name = entry?.file_name().to_bytes().to_owned();
            if name != b"." && name != b".." {
                names.push(OsString::from_vec(name));
            }
        }
        names.sort();
        Ok(names)
    }

    fn rename(&self, from: &str, to: &str) -> Result<(), Errno> {
        let flags = RenameFlags::NOREPLACE;
        rustix::fs::renameat_with(&self.folder, from, &self.folder, to, flags)
    }

    fn unlink(&self, name: &str) -> io::Result<()> {
        Ok(rustix::fs::unlinkat(&self.folder, name, AtFlags::empty())?)
    }
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::symlink;

    use super::*;

    fn links(path: &Path) -> Links {
        let uid = rustix::process::geteuid().as_raw();
        Links::open(path, uid, "/opt/jeton".into()).unwrap()
    }

    #[test]
    fn a_link_never_replaces_a_file_and_only_our_own_link_is_removed() {
        let dir = tempfile::tempdir().unwrap();
        let links = links(dir.path());
        let at = |name: &str| dir.path().join(name);
        fs::write(at("file"), "mine").unwrap();
        fs::create_dir(at("folder")).unwrap();
        for (name, to) in [
            ("other", "/usr/bin/jeton"),
            ("dots", "/opt/./jeton"),
            ("slash", "/opt/jeton/"),
            ("slashes", "//opt/jeton"),
            ("relative", "opt/jeton"),
            ("dangling", "/nowhere"),
        ] {
            symlink(to, at(name)).unwrap();
            let there = LinkState::Link(to.into());
            assert_eq!(links.make(name).unwrap(), there, "{name}");
            assert_eq!(links.remove(name).unwrap(), there, "{name}");
            assert_eq!(fs::read_link(at(name)).unwrap().to_str(), Some(to));
        }
        for name in ["file", "folder"] {
            assert_eq!(links.make(name).unwrap(), LinkState::Other, "{name}");
            assert_eq!(links.remove(name).unwrap(), LinkState::Other, "{name}");
        }
        assert_eq!(fs::read(at("file")).unwrap(), b"mine");
        assert_eq!(links.make("new").unwrap(), LinkState::Nothing);
        assert_eq!(links.make("new").unwrap(), LinkState::Ours);
        assert_eq!(links.remove("new").unwrap(), LinkState::Ours);
        assert_eq!(links.remove("new").unwrap(), LinkState::Nothing);
        assert!(at("new").symlink_metadata().is_err());
        assert_eq!(links.names().unwrap().len(), 8);
    }

    #[test]
    fn a_link_is_not_made_in_a_folder_swapped_after_the_check() {
        let dir = tempfile::tempdir().unwrap();
        let (good, evil) = (dir.path().join("good"), dir.path().join("evil"));
        fs::create_dir(&good).unwrap();
        fs::create_dir(&evil).unwrap();
        let links = links(&good);
        fs::rename(&good, dir.path().join("moved")).unwrap();
        symlink(&evil, &good).unwrap();
        assert_eq!(links.make("new").unwrap(), LinkState::Nothing);
        assert!(dir.path().join("moved/new").symlink_metadata().is_ok());
        assert_eq!(fs::read_dir(&evil).unwrap().count(), 0);
    }

    #[test]
    fn a_file_that_replaces_the_link_during_removal_is_kept() {
        let dir = tempfile::tempdir().unwrap();
        let links = links(dir.path());
        let name = dir.path().join("helper");
        let done = &std::sync::atomic::AtomicBool::new(false);
        let name = &name;
        std::thread::scope(|scope| {
            #[expect(
                clippy::disallowed_methods,
                reason = "a test that gets no thread fails, and may"
            )]
            let packager = scope.spawn(move || {
                let [new, taken] = ["new", "taken"].map(|other| name.with_file_name(other));
                for _ in 0..2_000 {
                    // Simulates a package manager, which replaces any file by its program, and removes it again.
                    fs::write(&new, "program").unwrap();
                    fs::rename(&new, name).unwrap();
                    while fs::rename(name, &taken).is_err() {
                        std::thread::yield_now();
                    }
                    let bytes = fs::read(&taken).unwrap_or_default();
                    assert_eq!(bytes, b"program", "the program was removed");
                }
                done.store(true, std::sync::atomic::Ordering::Relaxed);
            });
            while !done.load(std::sync::atomic::Ordering::Relaxed) {
                links.make("helper").unwrap();
                links.remove("helper").unwrap();
            }
            packager.join().unwrap();
        });
        let names = links.names().unwrap();
        assert!(
            !names
                .iter()
                .any(|name| name.to_string_lossy().starts_with(REMOVED)),
            "{names:?}"
        );
    }
}
