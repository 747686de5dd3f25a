//! The store in files: `STATE/credentials/PROFILE.json`, each its owner's alone.

use std::ffi::{OsStr, OsString};
use std::fs::File;
use std::io::{self, Read as _};
use std::path::{Path, PathBuf};
use std::time::Duration;

use rustix::fs::OFlags;
use rustix::io::Errno;
use zeroize::Zeroizing;

use super::{CredentialStore, Record, StoreError, StoreErrorKind, record};
use crate::file_lock::{FileLock, NotLocked};
use crate::folder::{Attributes, Folder, is_temporary};
use crate::profile::ProfileName;
use crate::trust::{Distrust, Facts, Purpose, Untrusted, open_private, private_dir};

/// The file whose lock a writer holds.
const LOCK: &str = ".lock";

/// How often a writer looks whether another one has finished, and how long it waits in between: a second in all. A
/// write takes some milliseconds; who takes longer hangs on its disk, and then so would we.
const TRIES: u32 = 40;
const PAUSE: Duration = Duration::from_millis(25);

/// A store in files of mode 0600, in a folder of mode 0700.
#[derive(Debug)]
pub struct FileStore {
    folder: PathBuf,
    owner: u32,
    tries: u32,
}

impl FileStore {
    /// The store below this state folder, whose files are `owner`'s. That is another user than ours only when root sets
    /// up a system daemon. Nothing is touched before the first call.
    pub fn new(state: &Path, owner: u32) -> Self {
        Self::in_folder(state.join("credentials"), owner)
    }

    /// The same in another folder, for another kind of file.
    pub(super) const fn in_folder(folder: PathBuf, owner: u32) -> Self {
        Self {
            folder,
            owner,
            tries: TRIES,
        }
    }

    /// The file of a profile's record.
    pub fn path(&self, profile: &ProfileName) -> PathBuf {
        self.folder.join(file_name(profile))
    }

    fn untrusted(untrusted: Untrusted) -> StoreError {
        let path = untrusted.path.clone();
        match untrusted.why {
            Distrust::Io { action, source } => StoreError::io(&path, action, source),
            _ => StoreError::new(&path, StoreErrorKind::Untrusted(untrusted)),
        }
    }

    /// The folder, if there is one.
    fn existing(&self) -> Result<Option<Folder>, StoreError> {
        match open_private(&self.folder, self.owner) {
            Ok(file) => Ok(Some(Folder::new(file, &self.folder))),
            Err(e) if e.is_missing() => Ok(None),
            Err(e) => Err(Self::untrusted(e)),
        }
    }

    /// Takes the lock of all writers.
    fn lock(&self, folder: &Folder) -> Result<FileLock, StoreError> {
        let path = self.folder.join(LOCK);
        let io = |action, e| StoreError::io(&path, action, e);
        let mut file = self.open_lock(folder).map_err(|e| io("open the lock", e))?;
        self.judge(&file, &path)?;
        for again in (0..self.tries).rev() {
            file = match FileLock::try_exclusive(file) {
                Ok(lock) => return Ok(lock),
                Err(NotLocked::Held(_)) if again == 0 => break,
                Err(NotLocked::Held(file)) => {
                    pause();
                    file
                }
                Err(NotLocked::Unsupported(_)) => {
                    return Err(StoreError::new(&path, StoreErrorKind::NoLocks));
                }
                Err(NotLocked::Io(e)) => return Err(io("take the lock", e)),
            };
        }
        Err(StoreError::new(&path, StoreErrorKind::Busy))
    }

    /// Opens the lock's file, or makes it. Only one that was just made is given to the owner: root must not give away
    /// what the owner may have linked there.
    fn open_lock(&self, folder: &Folder) -> io::Result<File> {
        let name = OsStr::new(LOCK);
        match folder.open_file(name, OFlags::RDWR | OFlags::CREATE | OFlags::EXCL) {
            Ok(file) => {
                self.attributes().apply(&file)?;
                Ok(file)
            }
            Err(e) if e.kind() == io::ErrorKind::AlreadyExists => {
                folder.open_file(name, OFlags::RDWR)
            }
            Err(e) => Err(e),
        }
    }

    const fn attributes(&self) -> Attributes {
        Attributes {
            owner: self.owner,
            group: None,
            mode: 0o600,
        }
    }

    /// Judges an opened file, which must be its owner's alone.
    fn judge(&self, file: &File, path: &Path) -> Result<Facts, StoreError> {
        let facts = Facts::of(file).map_err(|e| StoreError::io(path, "read its state", e))?;
        let purpose = match path.ends_with(LOCK) {
            true => Purpose::Lock,
            false => Purpose::Secret,
        };
        facts
            .judge_private_file(self.owner)
            .map_err(|why| Self::untrusted(Untrusted::new(path, why).meant_for(purpose)))?;
        Ok(facts)
    }
}

/// Whether the file that was opened has no name any more.
const fn has_no_name(error: &StoreError) -> bool {
    matches!(&error.kind, StoreErrorKind::Untrusted(untrusted) if matches!(untrusted.why, Distrust::HardLinks(0)))
}

impl FileStore {
    /// Finds out whether a file could be removed here, as far as the folder tells; a missing folder has none.
    ///
    /// # Errors
    /// [`StoreError`] when the folder cannot be trusted.
    pub fn probe(&self) -> Result<(), StoreError> {
        self.existing().map(drop)
    }

    /// The files here that may hold a secret: each record with its profile, and the temporary files of writers. What
    /// somebody else has put here is left out.
    ///
    /// # Errors
    /// [`StoreError`] when the folder cannot be trusted or read.
    pub fn files(&self) -> Result<Vec<(PathBuf, Option<ProfileName>)>, StoreError> {
        let Some(folder) = self.existing()? else {
            return Ok(vec![]);
        };
        let names = folder
            .names()
            .map_err(|e| StoreError::io(&self.folder, "list it", e))?;
        let file = |name: OsString| {
            let profile = name.to_str().and_then(|name| name.strip_suffix(".json"));
            let profile = profile.and_then(|name| ProfileName::parse(name).ok());
            let is_ours = profile.is_some() || is_temporary(&name);
            is_ours.then(|| (self.folder.join(&name), profile))
        };
        Ok(names.into_iter().filter_map(file).collect())
    }

    /// The bytes of a profile's file, at most as many as a record has.
    pub(super) fn read(
        &self,
        profile: &ProfileName,
    ) -> Result<Option<Zeroizing<Vec<u8>>>, StoreError> {
        let Some(folder) = self.existing()? else {
            return Ok(None);
        };
        let path = self.path(profile);
        let mut again = self.tries;
        let (file, facts) = loop {
            let file = match folder.open_file(OsStr::new(&file_name(profile)), OFlags::RDONLY) {
                Ok(file) => file,
                Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(None),
                Err(e) => return Err(unopened(&path, e)),
            };
            match self.judge(&file, &path) {
                Ok(facts) => break (file, facts),
                // It was replaced between being opened and being looked at, and what replaced it is there.
                Err(e) if again > 0 && has_no_name(&e) => again -= 1,
                Err(e) => return Err(e),
            }
        };
        let too_large = || {
            let why = Distrust::TooLarge(record::MAX_LEN as u64);
            Self::untrusted(Untrusted::new(&path, why).meant_for(Purpose::Secret))
        };
        if facts.len > record::MAX_LEN as u64 {
            return Err(too_large());
        }
        // One more than the most, so that reading never makes it grow and leave a copy behind.
        let mut json = Zeroizing::new(Vec::with_capacity(record::MAX_LEN + 1));
        file.take(record::MAX_LEN as u64 + 1)
            .read_to_end(&mut json)
            .map_err(|e| StoreError::io(&path, "read it", e))?;
        if json.len() > record::MAX_LEN {
            return Err(too_large());
        }
        Ok(Some(json))
    }

    /// Puts these bytes into a profile's file.
    pub(super) fn write(&self, profile: &ProfileName, bytes: &[u8]) -> Result<(), StoreError> {
        let file = private_dir(&self.folder, self.owner).map_err(Self::untrusted)?;
        let folder = Folder::new(file, &self.folder);
        let _lock = self.lock(&folder)?;
        folder.sweep();
        folder
            .replace(OsStr::new(&file_name(profile)), bytes, self.attributes())
            .map_err(|e| StoreError::replace(&self.path(profile), e))
    }
}

impl CredentialStore for FileStore {
    fn load(&self, profile: &ProfileName) -> Result<Option<Record>, StoreError> {
        let Some(json) = self.read(profile)? else {
            return Ok(None);
        };
        let record = record::from_json(&json);
        record
            .map(Some)
            .map_err(|kind| StoreError::new(&self.path(profile), kind))
    }

    fn save(&self, profile: &ProfileName, record: &Record) -> Result<(), StoreError> {
        let json = record::to_json(record).ok_or_else(|| {
            let source = io::ErrorKind::FileTooLarge.into();
            StoreError::io(&self.path(profile), "keep a record of this size", source)
        })?;
        self.write(profile, &json)
    }

    fn remove(&self, profile: &ProfileName) -> Result<bool, StoreError> {
        let Some(folder) = self.existing()? else {
            return Ok(false);
        };
        let _lock = self.lock(&folder)?;
        folder.sweep();
        folder
            .remove(OsStr::new(&file_name(profile)))
            .map_err(|e| StoreError::replace(&self.path(profile), e))
    }
}

/// A profile's name is safe as a file's: it has no separator and no leading dot.
fn file_name(profile: &ProfileName) -> String {
    format!("{profile}.json")
}

/// What a file that cannot be opened is: a link or a socket is not trusted, all else is the system's word.
fn unopened(path: &Path, error: io::Error) -> StoreError {
    let why = match Errno::from_io_error(&error) {
        Some(Errno::LOOP) => Distrust::IsALink,
        Some(Errno::NXIO) => Distrust::NotAFile,
        _ => return StoreError::io(path, "open it", error),
    };
    FileStore::untrusted(Untrusted::new(path, why).meant_for(Purpose::Secret))
}

#[expect(
    clippy::disallowed_methods,
    reason = "a store's calls block, and are kept off the event loop"
)]
fn pause() {
    std::thread::sleep(PAUSE);
}

#[cfg(test)]
mod tests;
