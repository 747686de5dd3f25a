//! The error of a sink: why a file was not written or not removed.

use std::fmt;
use std::io;
use std::path::{Path, PathBuf};

use rustix::io::Errno;

use crate::folder::ReplaceError;
use crate::trust::{UntrustedPath, is_full};

/// The error of a file that was not written or not removed.
#[derive(Debug)]
pub(crate) struct SinkError {
    /// The file.
    pub(crate) path: PathBuf,
    /// What went wrong.
    pub(crate) kind: SinkErrorKind,
}

/// The kinds of sink errors.
#[derive(Debug)]
pub(crate) enum SinkErrorKind {
    /// Its folder, or the folder of the records, is not trusted.
    Untrusted(UntrustedPath),
    /// A file exists that this daemon has not written.
    NotOurs,
    /// The same, in a folder where every user can create files.
    NotOursForAll,
    /// The existing file belongs to another sink, whose path is this one.
    OfAnotherSink(String),
    /// A folder has this name.
    AFolder,
    /// A file is mounted there.
    Mounted,
    /// Only root can give a file to this user.
    OwnerNeedsRoot(u32),
    /// The daemon is not in this group.
    NotOurGroup(u32),
    /// Another daemon is writing it at this moment.
    Busy,
    /// The disk or the quota is full.
    Full,
    /// The system reported an error.
    Io {
        /// The action that failed, as a verb.
        action: &'static str,
        /// The system's error.
        source: io::Error,
    },
}

// === impl SinkError ===

impl SinkError {
    pub(super) fn new(path: &Path, kind: SinkErrorKind) -> Self {
        let kind = match kind {
            SinkErrorKind::Untrusted(untrusted) if untrusted.is_full() => SinkErrorKind::Full,
            kind => kind,
        };
        Self {
            path: path.to_owned(),
            kind,
        }
    }

    pub(super) fn io(path: &Path, action: &'static str, source: io::Error) -> Self {
        let kind = match is_full(&source) {
            true => SinkErrorKind::Full,
            false => SinkErrorKind::Io { action, source },
        };
        Self::new(path, kind)
    }

    /// Creates the error of a failed replacement, for a file with this intended group.
    pub(super) fn replace(path: &Path, group: Option<u32>, error: ReplaceError) -> Self {
        match (Errno::from_io_error(&error.source), group) {
            (Some(Errno::PERM), Some(group)) if error.action == "keep its owner and mode" => {
                Self::new(path, SinkErrorKind::NotOurGroup(group))
            }
            (Some(Errno::ISDIR), _) => Self::new(path, SinkErrorKind::AFolder),
            (Some(Errno::BUSY), _) => Self::new(path, SinkErrorKind::Mounted),
            _ => Self::io(path, error.action, error.source),
        }
    }
}

impl fmt::Display for SinkError {
    /// Writes what happened and what to do, without the path.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.kind {
            SinkErrorKind::Untrusted(untrusted) => write!(f, "the folder is not used: {untrusted}"),
            SinkErrorKind::NotOurs => f.write_str(
                "a file that Jeton has not written is there, and stays; move it away, or set replace = true",
            ),
            SinkErrorKind::NotOursForAll => f.write_str(
                "a file that Jeton has not written is there, in a folder where every user can put one, so it stays, also with replace = true; move it away, or choose another path",
            ),
            SinkErrorKind::OfAnotherSink(path) => write!(
                f,
                "it is the file of another sink, {path}; give each sink a file of its own"
            ),
            SinkErrorKind::AFolder => f.write_str(
                "a folder is there, and stays; move it away, or choose another path",
            ),
            SinkErrorKind::Mounted => f.write_str(
                "the file is a mount point, so it cannot be replaced; mount the folder, never the single file",
            ),
            SinkErrorKind::OwnerNeedsRoot(uid) => write!(
                f,
                "only a daemon that runs as root can give the file to uid {uid}; remove owner, or use group"
            ),
            SinkErrorKind::NotOurGroup(gid) => write!(
                f,
                "the daemon's user is not in group {gid}; have root put it there and restart the daemon, or name another group"
            ),
            SinkErrorKind::Busy => f.write_str("another daemon writes it at this moment"),
            SinkErrorKind::Full => {
                f.write_str("the disk is full, and the file that was there stays; make room")
            }
            SinkErrorKind::Io { action, source } => {
                write!(f, "the daemon could not {action}: {source}")
            }
        }
    }
}

impl std::error::Error for SinkError {}
