//! The folder of one command, with the token file and a record of its use. Every call blocks.

use std::ffi::OsStr;
use std::fs::{DirBuilder, File, Metadata, Permissions};
use std::io::{self, Read as _};
use std::os::fd::AsFd as _;
use std::os::unix::fs::{DirBuilderExt as _, MetadataExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};

use rustix::fs::{Gid, Mode, OFlags, Uid};

use crate::folder::{Attributes, Folder};
use crate::profile::ProfileName;
use crate::trust::is_in_memory;

/// Name of the token file.
const TOKEN: &str = "token";

/// Name of the record.
const RECORD: &str = ".jeton";

/// Longest record that is read, in bytes.
const LONGEST: u64 = 512;

/// Mode of a folder that only its owner can enter.
const PRIVATE: u16 = 0o700;

/// The folder of one command.
#[derive(Debug, Clone)]
pub(super) struct CommandFolder {
    /// The folder's path.
    pub(super) path: PathBuf,
    /// User and group of the command.
    pub(super) owner: (u32, u32),
    /// The user that the daemon runs as.
    pub(super) uid: u32,
}

/// The use of a token file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Record {
    /// Process ID and start time of the command.
    pub(super) process: (i32, u64),
    /// When the token in the file expires, in Unix seconds.
    pub(super) expires_at: u64,
    pub(super) profile: ProfileName,
}

/// Whether this is a folder of `uid` that no other user can write to.
pub(super) fn is_own_folder(path: &Path, uid: u32) -> bool {
    let is_own =
        |facts: Metadata| facts.is_dir() && facts.uid() == uid && facts.mode() & 0o022 == 0;
    path.symlink_metadata().is_ok_and(is_own)
}

// === impl Record ===

impl Record {
    fn parse(text: &str) -> Option<Self> {
        let mut words = text.trim_end().split(' ');
        let record = Self {
            process: (words.next()?.parse().ok()?, words.next()?.parse().ok()?),
            expires_at: words.next()?.parse().ok()?,
            profile: ProfileName::parse(words.next()?).ok()?,
        };
        words.next().is_none().then_some(record)
    }

    fn to_line(&self) -> String {
        let (pid, started) = self.process;
        format!("{pid} {started} {} {}\n", self.expires_at, self.profile)
    }
}

// === impl Place ===

impl CommandFolder {
    /// Creates a folder in `parent` with a name that begins with `prefix`.
    pub(super) fn make(
        parent: &Path,
        prefix: &str,
        owner: (u32, u32),
        uid: u32,
    ) -> io::Result<Self> {
        let made = tempfile::Builder::new()
            .prefix(prefix)
            .rand_bytes(12)
            .permissions(Permissions::from_mode(PRIVATE.into()))
            .tempdir_in(parent)?;
        let place = Self {
            path: made.path().to_owned(),
            owner,
            uid,
        };
        place.give()?;
        // Keep the folder. Until here, dropping `made` on an error has removed it.
        let _: PathBuf = made.keep();
        Ok(place)
    }

    /// Sets the folder's mode, whatever the umask was, and its owner.
    fn give(&self) -> io::Result<()> {
        let folder = rustix::fs::open(
            &self.path,
            OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC,
            Mode::empty(),
        )?;
        rustix::fs::fchmod(&folder, Mode::from_raw_mode(PRIVATE.into()))?;
        let (user, group) = self.owner;
        if user != self.uid {
            let (user, group) = (Uid::from_raw(user), Gid::from_raw(group));
            rustix::fs::fchown(folder.as_fd(), Some(user), Some(group))?;
        }
        Ok(())
    }

    /// Opens the folder at this path. Only the owner of the parent folder could have replaced it.
    fn open(&self) -> io::Result<Folder> {
        Ok(Folder::new(self.open_file()?, &self.path))
    }

    fn open_file(&self) -> io::Result<File> {
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let folder = File::from(rustix::fs::open(&self.path, flags, Mode::empty())?);
        if folder.metadata()?.uid() != self.owner.0 {
            return Err(io::ErrorKind::PermissionDenied.into());
        }
        Ok(folder)
    }

    /// Replaces the token in the file atomically. If the folder was removed with its parent, creates it again, because
    /// the command knows the file by its path. Returns whether the file system is in memory only.
    pub(super) fn write(&self, token: &str, record: &Record) -> io::Result<bool> {
        let file = match self.open_file() {
            Err(e) if e.kind() == io::ErrorKind::NotFound => {
                DirBuilder::new().mode(PRIVATE.into()).create(&self.path)?;
                self.give()?;
                self.open_file()?
            }
            opened => opened?,
        };
        let is_in_memory = is_in_memory(&file);
        let folder = Folder::new(file, &self.path);
        let (user, group) = self.owner;
        // The record stays owned by the daemon, so that the command cannot change it.
        for (name, text, owner) in [
            (RECORD, &record.to_line()[..], self.uid),
            (TOKEN, token, user),
        ] {
            let attributes = Attributes {
                owner,
                group: (owner != self.uid).then_some(group),
                mode: 0o600,
            };
            folder
                .replace(OsStr::new(name), text.as_bytes(), attributes)
                .map_err(|e| e.source)?;
        }
        Ok(is_in_memory)
    }

    /// Removes the file but not the folder.
    pub(super) fn empty(&self) -> io::Result<()> {
        let folder = self.open()?;
        folder.remove(OsStr::new(TOKEN)).map_err(|e| e.source)?;
        Ok(())
    }

    /// Removes the folder with its content. Does not follow links.
    pub(super) fn remove(&self) -> io::Result<()> {
        match std::fs::remove_dir_all(&self.path) {
            Err(e) if e.kind() == io::ErrorKind::NotFound => Ok(()),
            removed => removed,
        }
    }

    /// Returns the path of the file.
    pub(super) fn file(&self) -> PathBuf {
        self.path.join(TOKEN)
    }

    /// Returns the path of the file relative to `folder`, which contains this one.
    pub(super) fn below(&self, folder: &Path) -> PathBuf {
        let file = self.file();
        file.strip_prefix(folder)
            .map(Path::to_owned)
            .unwrap_or(file)
    }

    /// Reads the record that an earlier daemon has written. `None` if there is no valid one.
    pub(super) fn record(&self) -> Option<Record> {
        let file = self.open().ok()?;
        let file = file.open_file(OsStr::new(RECORD), OFlags::RDONLY).ok()?;
        let facts = file.metadata().ok()?;
        if !facts.is_file() || facts.uid() != self.uid {
            return None;
        }
        let mut text = String::new();
        file.take(LONGEST).read_to_string(&mut text).ok()?;
        Record::parse(&text)
    }

    /// Returns the folders in `parent` that an earlier daemon of this user has made. The group of the command is not
    /// known.
    pub(super) fn all(parent: &Path, prefix: &str, uid: u32) -> io::Result<Vec<Self>> {
        let mut all = vec![];
        for entry in std::fs::read_dir(parent)? {
            let entry = entry?;
            let is_ours = entry
                .file_name()
                .as_encoded_bytes()
                .starts_with(prefix.as_bytes());
            let Some(facts) = entry
                .metadata()
                .ok()
                .filter(|facts| is_ours && facts.is_dir())
            else {
                continue;
            };
            // A daemon that runs as root makes folders for other users.
            if facts.uid() == uid || uid == 0 {
                all.push(Self {
                    path: entry.path(),
                    owner: (facts.uid(), facts.gid()),
                    uid,
                });
            }
        }
        Ok(all)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn us() -> (u32, u32) {
        let gid = rustix::process::getegid().as_raw();
        (rustix::process::geteuid().as_raw(), gid)
    }

    fn record() -> Record {
        Record {
            process: (12, 34),
            expires_at: 56,
            profile: ProfileName::parse("research").unwrap(),
        }
    }

    #[test]
    fn a_written_command_record_parses_back_unchanged() {
        assert_eq!(Record::parse(&record().to_line()), Some(record()));
        for bad in [
            "",
            "12 34 56",
            "12 34 56 research more",
            "x 34 56 research",
            "12 34 56 ../x",
        ] {
            assert_eq!(Record::parse(bad), None, "{bad}");
        }
    }

    #[test]
    fn a_token_file_is_private_rewritten_and_removed() {
        let parent = tempfile::tempdir().unwrap();
        let (uid, _) = us();
        let place = CommandFolder::make(parent.path(), "jeton.sock.exec-", us(), uid).unwrap();
        let mode = |path: &Path| path.metadata().unwrap().mode() & 0o7777;
        assert_eq!(mode(&place.path), 0o700);
        let file = parent.path().join(place.below(parent.path()));
        for token in ["one", "another"] {
            place.write(token, &record()).unwrap();
            assert_eq!(std::fs::read_to_string(&file).unwrap(), token);
            assert_eq!(mode(&file), 0o600);
        }
        let found = CommandFolder::all(parent.path(), "jeton.sock.exec-", uid).unwrap();
        assert_eq!(found.len(), 1);
        assert_eq!(found[0].record(), Some(record()));
        assert!(
            CommandFolder::all(parent.path(), "other.sock.exec-", uid)
                .unwrap()
                .is_empty()
        );
        place.empty().unwrap();
        assert!(!file.exists() && place.path.exists());
        // Writing works again after a cleaner has removed the folder.
        std::fs::remove_dir_all(&place.path).unwrap();
        place.write("again", &record()).unwrap();
        assert_eq!(std::fs::read_to_string(&file).unwrap(), "again");
        place.remove().unwrap();
        place.remove().unwrap();
        assert_eq!(std::fs::read_dir(parent.path()).unwrap().count(), 0);
    }

    #[test]
    fn a_link_in_place_of_the_command_folder_is_not_followed() {
        let parent = tempfile::tempdir().unwrap();
        let elsewhere = tempfile::tempdir().unwrap();
        let (uid, _) = us();
        let place = CommandFolder::make(parent.path(), "x-", us(), uid).unwrap();
        place.remove().unwrap();
        std::os::unix::fs::symlink(elsewhere.path(), &place.path).unwrap();
        assert!(place.write("token", &record()).is_err());
        assert_eq!(place.record(), None);
        assert!(
            CommandFolder::all(parent.path(), "x-", uid)
                .unwrap()
                .is_empty()
        );
        assert_eq!(std::fs::read_dir(elsewhere.path()).unwrap().count(), 0);
    }
}
