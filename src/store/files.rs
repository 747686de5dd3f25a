//! A folder of private files, one per profile: `FOLDER/PROFILE.json` or with another extension. Only the owner has
//! access.

use std::ffi::{OsStr, OsString};
use std::fs::File;
use std::io::{self, Read as _};
use std::path::{Path, PathBuf};

use rustix::fs::OFlags;
use rustix::io::Errno;
use zeroize::Zeroizing;

use super::{ProfileLock, StoreError, StoreErrorKind, record};
use crate::file_lock::FileLock;
use crate::folder::{Attributes, Folder, is_temporary};
use crate::profile::ProfileName;
use crate::trust::{FileFacts, Purpose, TrustFault, UntrustedPath, open_private, private_dir};

/// The lock that all writers of an earlier version share. The file must stay: without it two programs of that version
/// could write at the same time.
const FORMER_LOCK: &str = ".lock";

/// The number of times to reopen a file that was replaced during its examination.
const TRIES: u32 = 40;

/// Files of mode 0600 in a folder of mode 0700.
#[derive(Debug)]
pub(super) struct PrivateFiles {
    folder: PathBuf,
    owner: u32,
    /// The largest file that is read, in bytes.
    limit: usize,
    /// The part of a file's name after the profile.
    extension: &'static str,
    /// The content of the files: secrets, unless they are only notes.
    purpose: Purpose,
}

impl PrivateFiles {
    /// Describes the files in this folder, which belong to `owner`. `owner` differs from our user only when root sets
    /// up a system daemon. Touches nothing before the first call.
    pub(super) const fn new(folder: PathBuf, owner: u32) -> Self {
        Self {
            folder,
            owner,
            limit: record::MAX_LEN,
            extension: ".json",
            purpose: Purpose::Secret,
        }
    }

    /// Marks the files as without a secret.
    pub(super) fn of_notes(self) -> Self {
        Self {
            purpose: Purpose::Notes,
            ..self
        }
    }

    /// Replaces the extension of the files' names.
    pub(super) fn with_extension(self, extension: &'static str) -> Self {
        Self { extension, ..self }
    }

    /// Replaces the limit of a file's length, in bytes.
    pub(super) fn with_limit(self, limit: usize) -> Self {
        Self { limit, ..self }
    }

    /// The folder.
    pub(super) fn folder(&self) -> &Path {
        &self.folder
    }

    /// The path of a profile's file.
    pub(super) fn path(&self, profile: &ProfileName) -> PathBuf {
        self.folder.join(self.file_name(profile))
    }

    /// The name of a profile's file. Profile names are safe in it: they have no separator and no leading dot.
    fn file_name(&self, profile: &ProfileName) -> String {
        format!("{profile}{}", self.extension)
    }

    /// Opens the folder, if it exists.
    fn existing(&self) -> Result<Option<Folder>, StoreError> {
        match open_private(&self.folder, self.owner) {
            Ok(file) => Ok(Some(Folder::new(file, &self.folder))),
            Err(e) if e.is_missing() => Ok(None),
            Err(e) => Err(StoreError::untrusted(e)),
        }
    }

    const fn attributes(&self) -> Attributes {
        Attributes {
            owner: self.owner,
            group: None,
            mode: 0o600,
        }
    }

    /// Checks that only its owner can access an opened file.
    fn judge(&self, file: &File, path: &Path) -> Result<FileFacts, StoreError> {
        let facts = FileFacts::of(file).map_err(|e| StoreError::io(path, "read its state", e))?;
        facts.judge_private_file(self.owner).map_err(|why| {
            StoreError::untrusted(UntrustedPath::new(path, why).meant_for(self.purpose))
        })?;
        Ok(facts)
    }

    /// Checks by the folder alone whether a file could be removed; a missing folder is fine.
    ///
    /// # Errors
    /// [`StoreError`] if the folder cannot be trusted.
    pub(super) fn probe(&self) -> Result<(), StoreError> {
        self.existing().map(drop)
    }

    /// The files here that may hold a secret: each record with its profile, and the temporary files of writers. Skips
    /// files that are not Jeton's.
    ///
    /// # Errors
    /// [`StoreError`] if the folder cannot be trusted or read.
    pub(super) fn names(&self) -> Result<Vec<(PathBuf, Option<ProfileName>)>, StoreError> {
        let Some(folder) = self.existing()? else {
            return Ok(vec![]);
        };
        let names = folder
            .names()
            .map_err(|e| StoreError::io(&self.folder, "list it", e))?;
        let file = |name: OsString| {
            let profile = name.to_str();
            let profile = profile.and_then(|name| name.strip_suffix(self.extension));
            let profile = profile.and_then(|name| ProfileName::parse(name).ok());
            let is_ours = profile.is_some() || is_temporary(&name);
            is_ours.then(|| (self.folder.join(&name), profile))
        };
        Ok(names.into_iter().filter_map(file).collect())
    }

    /// Reads a profile's file, up to the limit.
    pub(super) fn read(
        &self,
        profile: &ProfileName,
    ) -> Result<Option<Zeroizing<Vec<u8>>>, StoreError> {
        self.read_file(OsStr::new(&self.file_name(profile)))
    }

    /// Reads the file of this name, up to the limit.
    pub(super) fn read_file(&self, name: &OsStr) -> Result<Option<Zeroizing<Vec<u8>>>, StoreError> {
        let Some(folder) = self.existing()? else {
            return Ok(None);
        };
        let path = self.folder.join(name);
        let mut again = TRIES;
        let (file, facts) = loop {
            let file = match folder.open_file(name, OFlags::RDONLY) {
                Ok(file) => file,
                Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(None),
                Err(e) => return Err(unopened(&path, self.owner, self.purpose, e)),
            };
            match self.judge(&file, &path) {
                Ok(facts) => break (file, facts),
                // The file was replaced between the opening and the examination; reopening gets the new one.
                Err(e) if again > 0 && has_no_name(&e) => again -= 1,
                Err(e) => return Err(e),
            }
        };
        let too_large = || {
            let why = TrustFault::TooLarge(self.limit as u64);
            StoreError::untrusted(UntrustedPath::new(&path, why).meant_for(self.purpose))
        };
        if facts.len > self.limit as u64 {
            return Err(too_large());
        }
        // Room for one byte more than the limit, so that the buffer never grows and leaves a copy behind.
        let mut json = Zeroizing::new(Vec::with_capacity(self.limit + 1));
        file.take(self.limit as u64 + 1)
            .read_to_end(&mut json)
            .map_err(|e| StoreError::io(&path, "read it", e))?;
        if json.len() > self.limit {
            return Err(too_large());
        }
        Ok(Some(json))
    }

    /// Removes the temporary files of killed writers, as every change does. Ignores files that cannot be removed.
    pub(super) fn sweep(&self, lock: &ProfileLock) {
        if lock.exclusive().is_ok()
            && let Ok(Some(folder)) = self.existing()
        {
            sweep(&folder, lock);
        }
    }

    /// Writes these bytes to the profile's file.
    pub(super) fn write(&self, lock: &ProfileLock, bytes: &[u8]) -> Result<(), StoreError> {
        lock.exclusive()?;
        let profile = lock.profile();
        let file = private_dir(&self.folder, self.owner).map_err(StoreError::untrusted)?;
        let folder = Folder::new(file, &self.folder);
        sweep(&folder, lock);
        let name = self.file_name(profile);
        folder
            .replace_as(
                profile.as_str(),
                OsStr::new(&name),
                bytes,
                self.attributes(),
            )
            .map_err(|e| StoreError::replace(&self.path(profile), e))
    }

    /// Makes the file of this name, and never replaces one. The temporary file carries the name `writer`, and all
    /// earlier temporary files of that name are removed, so only one such writer may run at a time.
    pub(super) fn make_file(
        &self,
        writer: &str,
        name: &OsStr,
        bytes: &[u8],
    ) -> Result<(), StoreError> {
        let file = private_dir(&self.folder, self.owner).map_err(StoreError::untrusted)?;
        let folder = Folder::new(file, &self.folder);
        folder.sweep_of(|other| other == Some(writer));
        let made = folder
            .create_temporary(writer, self.attributes())
            .and_then(|mut new| {
                new.fill(bytes)?;
                new.put_new(name)
            });
        made.map_err(|e| StoreError::replace(&self.folder.join(name), e))
    }

    /// Removes the profile's file; returns whether there was one.
    pub(super) fn remove(&self, lock: &ProfileLock) -> Result<bool, StoreError> {
        let Some(folder) = self.existing()? else {
            return Ok(false);
        };
        let profile = lock.profile();
        if let Err(error) = lock.exclusive() {
            // Without an exclusive lock nothing can be removed, which matters only if the profile has a file.
            let path = self.path(profile);
            return match path.symlink_metadata() {
                Err(e) if e.kind() == io::ErrorKind::NotFound => Ok(false),
                _ => Err(error),
            };
        }
        sweep(&folder, lock);
        folder
            .remove(OsStr::new(&self.file_name(profile)))
            .map_err(|e| StoreError::replace(&self.path(profile), e))
    }
}

/// Removes temporary files of killed writers, of this profile and of others.
fn sweep(folder: &Folder, lock: &ProfileLock) {
    folder.sweep_of(|writer| match writer {
        Some(profile) => ProfileName::parse(profile).is_ok_and(|profile| lock.has_ended(&profile)),
        None => no_earlier_version_writes(folder),
    });
}

/// Whether no program of an earlier version is writing here: it would hold the lock that its writers share.
fn no_earlier_version_writes(folder: &Folder) -> bool {
    match folder.open_file(OsStr::new(FORMER_LOCK), OFlags::RDWR) {
        Ok(file) => FileLock::try_exclusive(file).is_ok(),
        Err(e) => e.kind() == io::ErrorKind::NotFound,
    }
}

/// Whether the opened file has been unlinked.
const fn has_no_name(error: &StoreError) -> bool {
    matches!(&error.kind, StoreErrorKind::Untrusted(untrusted) if matches!(untrusted.why, TrustFault::HardLinks(0)))
}

/// The error for a file that cannot be opened: a link or a socket is not trusted, anything else is a system error.
fn unopened(path: &Path, owner: u32, purpose: Purpose, error: io::Error) -> StoreError {
    let why = match Errno::from_io_error(&error) {
        Some(Errno::LOOP) => Some(TrustFault::IsALink),
        Some(Errno::NXIO) => Some(TrustFault::NotAFile),
        Some(Errno::ACCESS) => TrustFault::not_ours(path, owner),
        _ => None,
    };
    let Some(why) = why else {
        return StoreError::io(path, "open it", error);
    };
    StoreError::untrusted(UntrustedPath::new(path, why).meant_for(purpose))
}
