//! Errors of a store, and the steps that a person can take.

use std::fmt;
use std::io;
use std::path::Path;

use rustix::io::Errno;

use super::read_only::SourceError;
use super::record::VERSION;
use crate::age_file::OpenError;
use crate::command_line;
use crate::folder::ReplaceError;
use crate::profile::ProfileName;
use crate::trust::{TrustFault, UntrustedPath, is_passing};

/// An error of a store.
#[derive(Debug)]
pub struct StoreError {
    /// The affected place: a record, a folder, the lock, or an entry of the OS keyring.
    pub place: String,
    /// The kind of error.
    pub kind: StoreErrorKind,
    /// Whether the record may have changed despite the error. Then the change might not survive a power failure, or a
    /// keyring did not answer and its state is unknown. If false, the previous record is still stored.
    pub changed: bool,
}

/// The reason why a store outside Jeton, such as the OS keyring, cannot be used, and the remedy.
pub trait Unavailable: fmt::Debug + Send + Sync {
    /// The store, such as "the OS keyring".
    fn store(&self) -> &'static str;

    /// The reason alone, in a few words.
    fn reason(&self) -> String;

    /// The remedy.
    fn advice(&self) -> &'static str;

    /// Whether a retry may succeed without a repair.
    fn is_passing(&self) -> bool;

    /// Whether the error may concern only one profile's entry.
    fn is_of_entry(&self) -> bool;
}

/// The kind of a store's error.
#[derive(Debug)]
#[non_exhaustive]
pub enum StoreErrorKind {
    /// Another user could have read or written it.
    Untrusted(UntrustedPath),
    /// The record is malformed; its text is never quoted.
    Malformed {
        /// The line, from 1; 0 if unknown.
        line: usize,
        /// The column in bytes, from 1; 0 if unknown.
        column: usize,
        /// The fault at that place, in Jeton's words.
        what: &'static str,
    },
    /// A rotation's stored data cannot be understood: the reason, without quoting the data.
    NotUnderstood(&'static str),
    /// The record was written by a later version.
    Version(u64),
    /// Another process is changing what is stored for the profile.
    Busy,
    /// Another program has changed the record since the writer read it.
    Conflict,
    /// The file system does not support locks.
    NoLocks,
    /// The file system, or the user's share of it, is full.
    Full,
    /// The file system is mounted read-only.
    ReadOnly,
    /// The credential's source, which Jeton only reads, gives no credential.
    Source(Box<SourceError>),
    /// The record is encrypted, and the store is locked.
    Locked,
    /// The record is to be encrypted, and the configuration names no recipient.
    NoRecipient,
    /// The record is encrypted, and cannot be opened.
    Unopened(OpenError),
    /// The record says inside that it belongs to this profile: the files were swapped.
    OfAnotherProfile(ProfileName),
    /// The store cannot be used.
    Unavailable(Box<dyn Unavailable>),
    /// The system reported another error.
    Io {
        /// The attempted action, as a verb with its object.
        action: &'static str,
        /// The system's error.
        source: io::Error,
    },
}

// === impl StoreError ===

impl StoreError {
    /// Whether the error is that the store is locked.
    pub const fn is_locked(&self) -> bool {
        matches!(self.kind, StoreErrorKind::Locked)
    }

    pub(super) fn new(path: &Path, kind: StoreErrorKind) -> Self {
        Self {
            place: path.display().to_string(),
            kind,
            changed: false,
        }
    }

    pub(super) fn io(path: &Path, action: &'static str, source: io::Error) -> Self {
        Self::new(path, StoreErrorKind::of(action, source))
    }

    /// An error for a file or folder that is not trusted, or that cannot be examined.
    pub(super) fn untrusted(untrusted: UntrustedPath) -> Self {
        let path = untrusted.path.clone();
        match untrusted.why {
            TrustFault::Io { action, source } => Self::io(&path, action, source),
            _ => Self::new(&path, StoreErrorKind::Untrusted(untrusted)),
        }
    }

    pub(super) fn replace(path: &Path, error: ReplaceError) -> Self {
        Self {
            changed: error.replaced,
            ..Self::io(path, error.action, error.source)
        }
    }
}

impl fmt::Display for StoreError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let place = &self.place;
        match self.kind {
            StoreErrorKind::Unavailable(_) if self.changed => {
                write!(f, "{place}: it is not known whether it has changed; ")?;
            }
            _ if self.changed => write!(
                f,
                "{place}: it is changed, but may be lost in a power failure: "
            )?,
            StoreErrorKind::Untrusted(_) => {}
            _ => write!(f, "{place}: ")?,
        }
        match &self.kind {
            StoreErrorKind::Untrusted(untrusted) => write!(f, "{untrusted}")?,
            StoreErrorKind::Malformed { line, column, what } => {
                f.write_str("this is not a credential's record: ")?;
                if *line > 0 {
                    write!(f, "line {line}, column {column}: ")?;
                }
                let run = command_line::proposed(ENROL, None);
                write!(f, "{what}; restore it, or {run}")?;
            }
            StoreErrorKind::NotUnderstood(what) => {
                write!(f, "the record of a rotation cannot be understood: {what}")?;
            }
            StoreErrorKind::Version(version) => write!(
                f,
                "the record is of version {version} and this program knows versions up to {VERSION}: use the program that wrote it or a later one, or enrol the profile again"
            )?,
            StoreErrorKind::Busy => {
                f.write_str("another jetond is changing the store: try again")?;
            }
            StoreErrorKind::Conflict => {
                f.write_str("another program has changed it meanwhile: try again")?;
            }
            StoreErrorKind::NoLocks => {
                write!(f, "its file system has no locks (flock): {}", elsewhere())?;
            }
            StoreErrorKind::Full => {
                f.write_str("the disk or the quota is full: make room and try again")?;
            }
            StoreErrorKind::ReadOnly => {
                write!(f, "its file system is mounted read-only: {}", elsewhere())?;
            }
            StoreErrorKind::Source(why) => why.fmt(f)?,
            StoreErrorKind::Locked => f.write_str(&command_line::proposed(
                "it is encrypted and the store is locked; run 'jetond unlock'",
                None,
            ))?,
            StoreErrorKind::NoRecipient => f.write_str(&command_line::proposed(
                "the configuration names no recipient for it ([encrypted-file] recipient); run 'jetond encrypt-store'",
                None,
            ))?,
            StoreErrorKind::Unopened(why) => {
                let run = command_line::proposed(ENROL, None);
                write!(f, "{why}; restore it, or {run}")?;
            }
            StoreErrorKind::OfAnotherProfile(other) => write!(
                f,
                "this is the record of the profile {other}, under the name of another: put the files back as they were, or enrol the profile again"
            )?,
            StoreErrorKind::Unavailable(why) => write!(
                f,
                "{} cannot be used: {} ({})",
                why.store(),
                why.reason(),
                why.advice()
            )?,
            StoreErrorKind::Io { action, .. } => write!(f, "cannot {action}")?,
        }
        let reading = matches!(
            self.kind,
            StoreErrorKind::Malformed { .. }
                | StoreErrorKind::NotUnderstood(_)
                | StoreErrorKind::Version(_)
                | StoreErrorKind::Conflict
                | StoreErrorKind::Untrusted(_)
                | StoreErrorKind::Source(_)
                | StoreErrorKind::Locked
                | StoreErrorKind::Unopened(_)
                | StoreErrorKind::OfAnotherProfile(_)
                | StoreErrorKind::Unavailable(_)
        );
        if self.changed || reading {
            Ok(())
        } else {
            f.write_str(" (what was kept is unchanged)")
        }
    }
}

/// The advice for replacing a record that cannot be read.
const ENROL: &str = "enrol the profile again: 'jetond add NAME --rebind'";

/// The advice for moving the state to another file system.
fn elsewhere() -> &'static str {
    if command_line::is_of_the_system() {
        "the system's daemon has its state in /var/lib/jeton, so mount another one there"
    } else {
        "keep the state on another one, with --state or XDG_STATE_HOME"
    }
}

impl std::error::Error for StoreError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match &self.kind {
            StoreErrorKind::Untrusted(untrusted) => std::error::Error::source(untrusted),
            StoreErrorKind::Source(why) => std::error::Error::source(&**why),
            StoreErrorKind::Io { source, .. } => Some(source),
            _ => None,
        }
    }
}

// === impl StoreErrorKind ===

impl StoreErrorKind {
    /// Whether a retry may succeed without a repair: the system lacked a process, a descriptor or memory.
    pub fn is_passing(&self) -> bool {
        match self {
            Self::Unavailable(why) => why.is_passing(),
            Self::Source(why) => why.is_passing(),
            Self::Io { source, .. } => is_passing(source),
            Self::Untrusted(untrusted) => untrusted.is_passing(),
            _ => false,
        }
    }

    /// Whether a command was run before the error, to its end or to its time limit.
    pub(super) fn is_after_a_run(&self) -> bool {
        matches!(self, Self::Source(why) if why.is_after_a_run())
    }

    /// Whether another program's write caused the error, so that a retry may succeed.
    pub const fn is_of_another_writer(&self) -> bool {
        matches!(self, Self::Busy | Self::Conflict)
    }

    /// Whether trying again later may be enough: another program was faster, or there is no room now.
    pub const fn is_for_later(&self) -> bool {
        self.is_of_another_writer() || matches!(self, Self::Full)
    }

    /// Whether the error makes the whole store unusable, and not only this profile's record.
    pub(super) fn is_of_whole_store(&self) -> bool {
        match self {
            Self::Unavailable(why) => !why.is_of_entry(),
            _ => false,
        }
    }

    /// Maps a system error to its kind by its number: the remedies differ.
    pub(super) fn of(action: &'static str, source: io::Error) -> Self {
        match Errno::from_io_error(&source) {
            Some(Errno::NOSPC | Errno::DQUOT) => Self::Full,
            Some(Errno::ROFS) => Self::ReadOnly,
            _ => Self::Io { action, source },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::KeyringFault;

    #[test]
    fn temporary_and_permanent_system_errors_are_distinguished() {
        for (errno, passing) in [
            (Errno::MFILE, true),
            (Errno::NFILE, true),
            (Errno::NOMEM, true),
            (Errno::AGAIN, true),
            (Errno::ACCESS, false),
            (Errno::NOSPC, false),
        ] {
            let kind = StoreErrorKind::of("open it", errno.into());
            assert_eq!(kind.is_passing(), passing, "{errno:?}");
            let why = crate::trust::TrustFault::Io {
                action: "open",
                source: errno.into(),
            };
            let untrusted = UntrustedPath::new(Path::new("/s"), why);
            assert_eq!(StoreErrorKind::Untrusted(untrusted).is_passing(), passing);
        }
        let keyring = |fault| StoreErrorKind::Unavailable(Box::new(fault));
        assert!(keyring(KeyringFault::Process("was ended".into())).is_passing());
        assert!(!keyring(KeyringFault::Locked).is_passing());
        assert!(!StoreErrorKind::Busy.is_passing());
    }

    #[test]
    fn system_errors_are_described_by_their_remedy() {
        let of = |errno: Errno| StoreError::io(Path::new("/s/a.json"), "write it", errno.into());
        for (errno, text) in [
            (Errno::NOSPC, "is full"),
            (Errno::DQUOT, "is full"),
            (Errno::ROFS, "read-only"),
            (Errno::IO, "cannot write it"),
        ] {
            let error = of(errno);
            let shown = error.to_string();
            assert!(
                shown.starts_with("/s/a.json: ") && shown.contains(text),
                "{shown}"
            );
            assert!(shown.ends_with("(what was kept is unchanged)"), "{shown}");
        }
        let after = ReplaceError {
            action: "sync its folder",
            source: Errno::IO.into(),
            replaced: true,
        };
        let shown = StoreError::replace(Path::new("/s/a.json"), after).to_string();
        assert!(
            shown.contains("it is changed") && !shown.contains("unchanged"),
            "{shown}"
        );
    }
}
