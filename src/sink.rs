//! Sinks: writes the files that hold tokens, and recognises its own files again.
//!
//! The folder of a file is opened and judged, and everything else is done relative to its descriptor. A new file is
//! created there under a temporary name, with its owner and mode, and a record of it is synced. Then it is filled,
//! synced and renamed, so that a reader sees the old file or the new one, never a part. The record in the state folder
//! has the inode of the temporary file, which the rename keeps. So a file is recognised as ours even if its writer was
//! killed at any point, and a file of another program is never overwritten unasked.
//!
//! Every call blocks, so run it on a separate thread.

mod error;
mod record;

use std::ffi::OsStr;
use std::path::{Path, PathBuf};

use crate::file_lock::{FileLock, NotLocked};
use crate::folder::{Attributes, Folder, Identity};
use crate::profile::ProfileName;
use crate::trust::{self, UntrustedPath, open_file_folder};

pub(crate) use error::{SinkError, SinkErrorKind};
use record::{Record, Records};

/// The folder of the records, inside the state folder.
const FOLDER: &str = "sinks";

/// The files that one daemon writes.
#[derive(Debug)]
pub(crate) struct Sinks {
    records: Records,
    /// The daemon, identified by the path of its token socket.
    daemon: String,
    uid: u32,
}

/// A file to write.
#[derive(Debug, Clone)]
pub(crate) struct SinkFile {
    /// Its absolute path.
    pub(crate) path: PathBuf,
    /// The profile whose token it holds.
    pub(crate) profile: ProfileName,
    /// The owner; `None` means our own user.
    pub(crate) owner: Option<u32>,
    /// The group; `None` keeps the one that the system assigns.
    pub(crate) group: Option<u32>,
    /// Its mode.
    pub(crate) mode: u16,
    /// Whether a file that is not ours may be replaced, provided that no other user can have created it.
    pub(crate) replace: bool,
    /// Whether to create missing folders above it, private to our user.
    pub(crate) make_folders: bool,
}

/// The known facts about a file that is in place.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct ExistingFile {
    /// The expiry of its token, in Unix seconds; `None` if the file stays.
    pub(crate) until: Option<u64>,
    /// Whether its token belongs to another profile.
    pub(crate) is_anothers: bool,
}

// === impl Sinks ===

impl Sinks {
    /// Creates the writer for the daemon with this token socket, which runs as `uid`. The records are below this state
    /// folder. Touches nothing before the first call.
    pub(crate) fn new(state: &Path, socket: &Path, uid: u32) -> Self {
        Self {
            records: Records::new(state.join(FOLDER), uid),
            daemon: socket.to_string_lossy().into_owned(),
            uid,
        }
    }

    /// Puts a file with these bytes in place, to stay until this Unix time. Returns whether the file system keeps it in
    /// memory and not on a disk.
    ///
    /// # Errors
    /// [`SinkError`]; the previous file stays.
    pub(crate) fn write(
        &self,
        file: &SinkFile,
        bytes: &[u8],
        until: Option<u64>,
    ) -> Result<bool, SinkError> {
        let path = &file.path;
        let owner = file.owner.unwrap_or(self.uid);
        if owner != self.uid && !rustix::process::geteuid().is_root() {
            return Err(SinkError::new(path, SinkErrorKind::OwnerNeedsRoot(owner)));
        }
        let (parent, name) = parts(path);
        if file.make_folders {
            trust::make_folders(parent, self.uid, 0o700).map_err(|e| untrusted(path, e))?;
        }
        let opened = open_file_folder(parent, self.uid).map_err(|e| untrusted(path, e))?;
        let folder = Folder::new(opened.file, &opened.path);
        let _lock = self.lock(path)?;
        let before = self.records.read(path)?;
        let there = folder
            .identity(name)
            .map_err(|e| SinkError::io(path, "look at it", e))?;
        let ours = there.filter(|there| before.as_ref().is_some_and(|record| record.owns(there)));
        sweep(&folder, name, before.as_ref());
        if there.is_some() && ours.is_none() {
            if let Some(other) = there.and_then(|there| self.other_sink(path, there)) {
                return Err(SinkError::new(path, SinkErrorKind::OfAnotherSink(other)));
            }
            match (file.replace, opened.is_sticky) {
                (false, _) => return Err(SinkError::new(path, SinkErrorKind::NotOurs)),
                (true, true) => return Err(SinkError::new(path, SinkErrorKind::NotOursForAll)),
                (true, false) => {}
            }
        }
        let attributes = Attributes {
            owner,
            group: file.group,
            mode: file.mode,
        };
        let failed = |e| SinkError::replace(path, file.group, e);
        let writer = self.records.key(path);
        let mut new = folder
            .create_temporary(&writer, attributes)
            .map_err(failed)?;
        let identity = new
            .identity()
            .map_err(|e| SinkError::io(path, "look at the new one", e))?;
        self.records.write(&Record {
            path: path.to_string_lossy().into_owned(),
            profile: file.profile.as_str().to_owned(),
            daemon: self.daemon.clone(),
            temporary: new.name().to_string_lossy().into_owned(),
            current: identity,
            former: ours,
            until,
        })?;
        new.fill(bytes).map_err(failed)?;
        let put = match there {
            Some(_) => new.put(name),
            None => new.put_new(name),
        };
        match put {
            Ok(()) => Ok(opened.is_in_memory),
            Err(e) if e.source.kind() == std::io::ErrorKind::AlreadyExists => {
                Err(SinkError::new(path, SinkErrorKind::NotOurs))
            }
            Err(e) => Err(failed(e)),
        }
    }

    /// Returns the path of another file that we have written, if it leads to this one.
    fn other_sink(&self, path: &Path, there: Identity) -> Option<String> {
        let mut records = self.records.all().unwrap_or_default().into_iter();
        let other = records.find(|record| Path::new(&record.path) != path && record.owns(&there));
        other.map(|record| record.path)
    }

    /// Removes a file if this daemon was the last to write it, or if its token has expired by `now`, in Unix seconds.
    /// Also removes what a killed writer left beside it. Returns whether there was a file.
    ///
    /// # Errors
    /// [`SinkError`]; the file may still be there.
    pub(crate) fn remove(&self, path: &Path, now: u64) -> Result<bool, SinkError> {
        let has_expired = |record: &Record| record.until.is_some_and(|until| until <= now);
        self.remove_if(path, |record| {
            record.daemon == self.daemon || has_expired(record)
        })
    }

    fn remove_if(&self, path: &Path, may: impl Fn(&Record) -> bool) -> Result<bool, SinkError> {
        if self.records.read(path)?.is_none() {
            return Ok(false);
        }
        let _lock = self.lock(path)?;
        let Some(record) = self.records.read(path)?.filter(may) else {
            return Ok(false);
        };
        let (parent, name) = parts(path);
        let removed = match open_file_folder(parent, self.uid) {
            Ok(opened) => {
                let is_sticky = opened.is_sticky;
                let folder = Folder::new(opened.file, &opened.path);
                sweep(&folder, name, Some(&record));
                self.sweep_empty(&folder, path, is_sticky);
                match folder.identity(name) {
                    Ok(Some(there)) if record.owns(&there) => folder
                        .remove(name)
                        .map_err(|e| SinkError::replace(path, None, e))?,
                    Ok(_) => false,
                    Err(e) => return Err(SinkError::io(path, "look at it", e)),
                }
            }
            Err(e) if e.is_missing() => false,
            Err(e) => return Err(untrusted(path, e)),
        };
        self.records.forget(path)?;
        Ok(removed)
    }

    /// Adopts a file that an earlier daemon left in place, and that is to hold this profile's token from now on.
    /// Returns the known facts about it. Removes what a killed writer left beside it.
    ///
    /// # Errors
    /// [`SinkError`] if the folder or the file cannot be read.
    pub(crate) fn take_up(
        &self,
        path: &Path,
        profile: &ProfileName,
    ) -> Result<Option<ExistingFile>, SinkError> {
        let (parent, name) = parts(path);
        let opened = match open_file_folder(parent, self.uid) {
            Ok(opened) => opened,
            Err(e) if e.is_missing() => return Ok(None),
            Err(e) => return Err(untrusted(path, e)),
        };
        let _lock = self.lock(path)?;
        let is_sticky = opened.is_sticky;
        let folder = Folder::new(opened.file, &opened.path);
        self.sweep_empty(&folder, path, is_sticky);
        let Some(record) = self.records.read(path)? else {
            return Ok(None);
        };
        sweep(&folder, name, Some(&record));
        let there = folder
            .identity(name)
            .map_err(|e| SinkError::io(path, "look at it", e))?;
        let ours = there.filter(|there| record.owns(there));
        Ok(ours.map(|_| ExistingFile {
            until: record.until,
            is_anothers: record.profile != profile.as_str(),
        }))
    }

    /// Removes the files of a writer that was killed before it wrote a record. In a folder where every user can create
    /// files, it removes only our own.
    fn sweep_empty(&self, folder: &Folder, path: &Path, is_sticky: bool) {
        let is_ours = |owner| owner == self.uid || !is_sticky;
        folder.sweep_empty_of(&self.records.key(path), is_ours);
    }

    /// Removes files that earlier daemons left: this daemon's own files that are not in `kept`, and other sockets'
    /// files whose token has expired by `now`, in Unix seconds. A file that cannot be removed stays for the next start.
    pub(crate) fn sweep(&self, kept: &[PathBuf], now: u64) -> Vec<SinkError> {
        self.records.sweep();
        let records = match self.records.all() {
            Ok(records) => records,
            Err(error) => return vec![error],
        };
        let mut failed = vec![];
        for record in records {
            let path = PathBuf::from(&record.path);
            let has_expired = record.until.is_some_and(|until| until <= now);
            let is_over = match record.daemon == self.daemon {
                true => !kept.contains(&path),
                false => has_expired || path.symlink_metadata().is_err(),
            };
            if is_over && let Err(error) = self.remove_if(&path, |_| true) {
                failed.push(error);
            }
        }
        failed
    }

    /// Takes the lock that all writers of this file share: the daemons with the same state.
    fn lock(&self, path: &Path) -> Result<Option<FileLock>, SinkError> {
        match self.records.lock(path)? {
            Ok(lock) => Ok(Some(lock)),
            Err(NotLocked::Held) => Err(SinkError::new(path, SinkErrorKind::Busy)),
            Err(NotLocked::Unsupported(_)) => Ok(None),
            Err(NotLocked::Io(e)) => Err(SinkError::io(path, "lock its record", e)),
        }
    }
}

/// Removes the temporary file of a writer that was killed.
fn sweep(folder: &Folder, name: &OsStr, record: Option<&Record>) {
    let Some(record) = record else {
        return;
    };
    let temporary = OsStr::new(&record.temporary);
    let is_it = |there: &Identity| *there == record.current && temporary != name;
    let there = folder.identity(temporary).ok().flatten();
    if there.as_ref().is_some_and(is_it) {
        // If it cannot be removed, the next write tries again.
        let _ = folder.unlink(temporary);
    }
}

/// Splits a path into its folder and the name in it.
fn parts(path: &Path) -> (&Path, &OsStr) {
    let parent = path.parent().unwrap_or(Path::new("/"));
    (parent, path.file_name().unwrap_or_default())
}

fn untrusted(path: &Path, why: UntrustedPath) -> SinkError {
    SinkError::new(path, SinkErrorKind::Untrusted(why))
}

#[cfg(test)]
mod tests;
