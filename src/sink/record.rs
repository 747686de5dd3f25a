//! The records of our own files: one per path, in a private folder of the state.

use std::ffi::{OsStr, OsString};
use std::io::{self, Read as _};
use std::path::{Path, PathBuf};

use rustix::fs::OFlags;
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use super::error::{SinkError, SinkErrorKind};
use crate::file_lock::{FileLock, NotLocked};
use crate::folder::{Attributes, Folder, Identity};
use crate::trust::{open_private, private_dir};

/// The largest accepted record, in bytes: two paths and a few numbers.
const MAX_LEN: u64 = 16_384;

/// The suffix of a record's name.
const ENDING: &str = ".json";

/// A record, by which a file is recognised as ours.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Record {
    /// The path of the file.
    pub(super) path: String,
    /// The profile whose token it holds.
    pub(super) profile: String,
    /// The daemon that wrote it last, identified by its token socket.
    pub(super) daemon: String,
    /// The temporary name of the last write.
    pub(super) temporary: String,
    /// The identity of the file of the last write.
    pub(super) current: Identity,
    /// The identity of the previous file. It stays valid until the next write, since the last writer may have been
    /// killed before its rename.
    pub(super) former: Option<Identity>,
    /// The expiry of its token, in Unix seconds; `None` if the file stays.
    pub(super) until: Option<u64>,
}

/// The records.
#[derive(Debug)]
pub(super) struct Records {
    folder: PathBuf,
    uid: u32,
}

// === impl Record ===

impl Record {
    /// Reports whether this file is ours.
    pub(super) fn owns(&self, there: &Identity) -> bool {
        *there == self.current || Some(*there) == self.former
    }
}

// === impl Records ===

impl Records {
    pub(super) const fn new(folder: PathBuf, uid: u32) -> Self {
        Self { folder, uid }
    }

    /// Derives a name for the path that is safe as a file name.
    pub(super) fn key(&self, path: &Path) -> String {
        let hash: [u8; 32] = Sha256::digest(path.as_os_str().as_encoded_bytes()).into();
        let half = hash.iter().take(16);
        half.map(|byte| format!("{byte:02x}")).collect()
    }

    fn file(&self, path: &Path) -> OsString {
        format!("{}{ENDING}", self.key(path)).into()
    }

    /// Reads the record of this path. A record that cannot be parsed counts as missing; the file then counts as another
    /// program's.
    pub(super) fn read(&self, path: &Path) -> Result<Option<Record>, SinkError> {
        let Some(folder) = self.existing(path)? else {
            return Ok(None);
        };
        let record = read(&folder, &self.file(path))
            .map_err(|e| SinkError::io(path, "read its record", e))?;
        Ok(record.filter(|record| Path::new(&record.path) == path))
    }

    /// Returns every record that can be read.
    pub(super) fn all(&self) -> Result<Vec<Record>, SinkError> {
        let Some(folder) = self.existing(&self.folder)? else {
            return Ok(vec![]);
        };
        let names = folder
            .names()
            .map_err(|e| SinkError::io(&self.folder, "list the records", e))?;
        let is_record = |name: &OsString| name.as_encoded_bytes().ends_with(ENDING.as_bytes());
        let records = names.into_iter().filter(is_record);
        Ok(records
            .filter_map(|name| read(&folder, &name).ok().flatten())
            .collect())
    }

    /// Writes a record, and syncs it.
    pub(super) fn write(&self, record: &Record) -> Result<(), SinkError> {
        let path = Path::new(&record.path);
        let folder = self.made(path)?;
        let failed = |source| SinkError::io(path, "write its record", source);
        let json = serde_json::to_vec(record).map_err(|e| failed(e.into()))?;
        let attributes = Attributes {
            owner: self.uid,
            group: None,
            mode: 0o600,
        };
        let replaced = folder.replace_as(&self.key(path), &self.file(path), &json, attributes);
        replaced.map_err(|e| failed(e.source))
    }

    /// Removes the files that killed writers have left beside the records: those whose lock is free.
    pub(super) fn sweep(&self) {
        if let Ok(Some(folder)) = self.existing(&self.folder) {
            let is_free = |key: &str| lock_in(&folder, key).is_ok_and(|lock| lock.is_ok());
            folder.sweep_of(|writer| writer.is_some_and(is_free));
        }
    }

    /// Removes the record of this path.
    pub(super) fn forget(&self, path: &Path) -> Result<(), SinkError> {
        let folder = self.made(path)?;
        let removed = folder.remove(&self.file(path)).map(drop);
        removed.map_err(|e| SinkError::io(path, "remove its record", e.source))
    }

    /// Locks the record of this path.
    pub(super) fn lock(&self, path: &Path) -> Result<Result<FileLock, NotLocked>, SinkError> {
        let folder = self.made(path)?;
        lock_in(&folder, &self.key(path))
            .map_err(|e| SinkError::io(path, "open the lock of its record", e))
    }

    fn existing(&self, path: &Path) -> Result<Option<Folder>, SinkError> {
        match open_private(&self.folder, self.uid) {
            Ok(file) => Ok(Some(Folder::new(file, &self.folder))),
            Err(e) if e.is_missing() => Ok(None),
            Err(e) => Err(SinkError::new(path, SinkErrorKind::Untrusted(e))),
        }
    }

    fn made(&self, path: &Path) -> Result<Folder, SinkError> {
        let file = private_dir(&self.folder, self.uid)
            .map_err(|e| SinkError::new(path, SinkErrorKind::Untrusted(e)))?;
        Ok(Folder::new(file, &self.folder))
    }
}

/// Locks the record of this name.
fn lock_in(folder: &Folder, key: &str) -> io::Result<Result<FileLock, NotLocked>> {
    let name: OsString = format!("{key}.lock").into();
    let file = folder.open_file(&name, OFlags::RDWR | OFlags::CREATE)?;
    Ok(FileLock::try_exclusive(file))
}

fn read(folder: &Folder, name: &OsStr) -> io::Result<Option<Record>> {
    let file = match folder.open_file(name, OFlags::RDONLY) {
        Ok(file) => file,
        Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(e) => return Err(e),
    };
    let mut json = vec![];
    file.take(MAX_LEN).read_to_end(&mut json)?;
    Ok(serde_json::from_slice(&json).ok())
}
