//! Records of the settings before a change, kept in the state folder until the change is undone: one private file for
//! each tool and address.

use std::ffi::OsStr;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use rustix::fs::OFlags;
use serde::{Deserialize, Serialize};

use super::super::output::Exit;
use super::kept::{KeptFile, hash};
use super::recipe::{FormerSettings, Refusal};
use crate::causes::Causes;
use crate::file_lock::{FileLock, NotLocked};
use crate::folder::{Attributes, Folder, ReplaceError};
use crate::trust::private_dir;

/// The lock of all records: two changes at the same time would each record the other's settings as the former ones.
const LOCK: &str = ".lock";

/// The records of one user, locked.
pub(super) struct Records {
    folder: Folder,
    path: PathBuf,
    owner: u32,
    _lock: Option<FileLock>,
}

/// The settings before one change.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Record {
    version: u32,
    pub(super) tool: String,
    /// The address as [`crate::address::Address`] shows it; empty for a tool that was set up without one.
    pub(super) address: String,
    pub(super) before: FormerSettings,
    files: Vec<KeptFile>,
}

// === impl Records ===

impl Records {
    /// Opens the records below this state folder, and makes the folder if it is missing.
    ///
    /// # Errors
    /// A [`Refusal`] if the folder is not private to `uid`, or another change is running.
    pub(super) fn open(state: &Path, uid: u32) -> Result<Self, Refusal> {
        let path = state.join("setup");
        let file = private_dir(&path, uid)
            .map_err(|untrusted| Refusal::config(&Causes(&untrusted).to_string()))?;
        let folder = Folder::new(file, &path);
        let lock = folder.open_file(OsStr::new(LOCK), OFlags::RDWR | OFlags::CREATE);
        let lock = lock.map_err(|error| Refusal::io(&path.join(LOCK), "open", &error))?;
        let lock = match FileLock::try_exclusive(lock) {
            Ok(lock) => Some(lock),
            Err(NotLocked::Held) => {
                return Err(Refusal {
                    exit: Exit::Later,
                    why:
                        "another 'jetond setup' is changing something; try again when it has ended"
                            .to_owned(),
                });
            }
            Err(NotLocked::Unsupported(_) | NotLocked::Io(_)) => None,
        };
        folder.sweep();
        Ok(Self {
            folder,
            path,
            owner: uid,
            _lock: lock,
        })
    }

    /// The record of a tool and an address, if there is one.
    ///
    /// # Errors
    /// A [`Refusal`] if it cannot be read.
    pub(super) fn read(&self, tool: &str, address: &str) -> Result<Option<Record>, Refusal> {
        self.read_file(OsStr::new(&name_of(tool, address)))
    }

    /// The addresses for which this tool has records.
    ///
    /// # Errors
    /// A [`Refusal`] if one cannot be read.
    pub(super) fn addresses(&self, tool: &str) -> Result<Vec<String>, Refusal> {
        let names = self.folder.names();
        let names = names.map_err(|error| Refusal::io(&self.path, "list", &error))?;
        let mut addresses = vec![];
        for name in names {
            let is_record = Path::new(&name).extension() == Some(OsStr::new("json"));
            if is_record
                && let Some(record) = self.read_file(&name)?
                && record.tool == tool
            {
                addresses.push(record.address);
            }
        }
        addresses.sort();
        Ok(addresses)
    }

    fn read_file(&self, name: &OsStr) -> Result<Option<Record>, Refusal> {
        let path = self.path.join(name);
        let bytes = match fs::read(&path) {
            Ok(bytes) => bytes,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(Refusal::io(&path, "read", &error)),
        };
        let record: Record = serde_json::from_slice(&bytes).map_err(|_| {
            let path = path.display();
            Refusal::config(&format!(
                "{path} is not what 'jetond setup --apply' writes; remove it if nothing is to be undone"
            ))
        })?;
        Ok(Some(record))
    }

    /// Writes a record.
    ///
    /// # Errors
    /// A [`Refusal`] if it cannot be written.
    pub(super) fn write(&self, record: &Record) -> Result<(), Refusal> {
        let name = name_of(&record.tool, &record.address);
        let bytes = serde_json::to_vec(record).map_err(|error| {
            Refusal::config(&format!(
                "what stands there now cannot be recorded: {error}"
            ))
        })?;
        let attributes = Attributes {
            owner: self.owner,
            group: None,
            mode: 0o600,
        };
        let written = self.folder.replace(OsStr::new(&name), &bytes, attributes);
        written.map_err(|error| Refusal::io(&self.path.join(name), error.action, &error.source))
    }

    /// Removes a record.
    ///
    /// # Errors
    /// A [`Refusal`] if it cannot be removed.
    pub(super) fn remove(&self, record: &Record) -> Result<(), Refusal> {
        let name = name_of(&record.tool, &record.address);
        let removed = self.folder.remove(OsStr::new(&name));
        let failed =
            |error: ReplaceError| Refusal::io(&self.path.join(&name), error.action, &error.source);
        removed.map(drop).map_err(failed)
    }
}

/// The file name of a record. It has a hash of the address, which itself is not a valid file name.
fn name_of(tool: &str, address: &str) -> String {
    let hash = hash(address.as_bytes());
    let short = hash.get(..16).unwrap_or(&hash);
    format!("{tool}-{short}.json")
}

// === impl Record ===

impl Record {
    /// Records the current settings and files.
    ///
    /// # Errors
    /// A [`Refusal`] if a file cannot be read, or is too large.
    pub(super) fn of(tool: &str, address: &str, before: FormerSettings) -> Result<Self, Refusal> {
        let files: Result<Vec<_>, _> = before.files.iter().map(|path| KeptFile::of(path)).collect();
        Ok(Self {
            version: 1,
            tool: tool.to_owned(),
            address: address.to_owned(),
            before,
            files: files?,
        })
    }

    /// Records the files as our change has left them.
    ///
    /// # Errors
    /// A [`Refusal`] if one cannot be read.
    pub(super) fn leave(&mut self) -> Result<(), Refusal> {
        for file in &mut self.files {
            file.leave()?;
        }
        Ok(())
    }

    /// Records that others have changed the files: they are not restored as a whole any more.
    pub(super) fn forget_left(&mut self) {
        for file in &mut self.files {
            file.forget_left();
        }
    }

    /// Whether the files could be restored as a whole when the change began.
    pub(super) fn was_left(&self) -> bool {
        self.files.iter().all(KeptFile::was_left)
    }

    /// Whether every file is still as our last change left it.
    ///
    /// # Errors
    /// A [`Refusal`] if one cannot be read.
    pub(super) fn is_as_left(&self) -> Result<bool, Refusal> {
        for file in &self.files {
            if !file.is_as_left()? {
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// Whether every file has its former content.
    ///
    /// # Errors
    /// A [`Refusal`] if one cannot be read.
    pub(super) fn is_as_before(&self) -> Result<bool, Refusal> {
        for file in &self.files {
            if !file.is_as_before()? {
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// Restores the former content of every file. Returns what was done, a sentence each.
    ///
    /// # Errors
    /// A [`Refusal`] if a file cannot be written or removed.
    pub(super) fn put_back(&self) -> Result<Vec<String>, Refusal> {
        let mut done = vec![];
        for file in &self.files {
            done.extend(file.put_back()?);
        }
        Ok(done)
    }
}
