//! The error for a file or folder that is not trusted, and its message.

use std::fmt;
use std::io;
use std::path::{Path, PathBuf};

use rustix::io::Errno;

use super::full::is_full;
use super::remedy::remedy;
use super::trust_fault::{GroupFault, OVERFLOW_UID, Purpose, TrustFault};

/// A file or folder that is not trusted.
#[derive(Debug)]
pub struct UntrustedPath {
    /// The file itself, or a folder or link on the way to it.
    pub path: PathBuf,
    /// Why it is not trusted.
    pub why: TrustFault,
    pub(super) purpose: Purpose,
    /// The user who reads the message.
    pub(super) reader: u32,
}

/// Reports whether a retry may succeed without a repair: the system had no free descriptor, process or memory.
pub fn is_passing(refused: &io::Error) -> bool {
    matches!(
        Errno::from_io_error(refused),
        Some(Errno::AGAIN | Errno::MFILE | Errno::NFILE | Errno::NOMEM)
    )
}

// === impl Untrusted ===

impl UntrustedPath {
    /// Creates an error for `path`, as a configuration unless [`UntrustedPath::meant_for`] says otherwise.
    pub(crate) fn new(path: &Path, why: TrustFault) -> Self {
        Self {
            path: path.to_owned(),
            why,
            purpose: Purpose::Config,
            // The real user reads the message. The effective user may be the daemon's, whose rights are being tried.
            reader: rustix::process::getuid().as_raw(),
        }
    }

    /// Sets another purpose.
    #[must_use]
    pub(crate) fn meant_for(self, purpose: Purpose) -> Self {
        Self { purpose, ..self }
    }

    /// Reports whether a retry may succeed without a repair.
    pub fn is_passing(&self) -> bool {
        matches!(&self.why, TrustFault::Io { source, .. } if is_passing(source))
    }

    /// Reports whether it is ours and other users cannot change it, so that only its mode or its group is wrong.
    pub(crate) const fn is_of_mode(&self) -> bool {
        matches!(
            self.why,
            TrustFault::Open { .. } | TrustFault::Shared { .. } | TrustFault::OfTheSystem { .. }
        )
    }

    /// Reports whether the disk or the quota is full.
    pub fn is_full(&self) -> bool {
        matches!(&self.why, TrustFault::Io { source, .. } if is_full(source))
    }

    /// Reports whether the file does not exist.
    pub const fn is_missing(&self) -> bool {
        matches!(self.why, TrustFault::Missing)
    }

    /// Describes the fault.
    pub fn what(&self) -> String {
        match &self.why {
            TrustFault::Missing => "there is no such file or folder".into(),
            TrustFault::NotAFile => "it is not a regular file".into(),
            TrustFault::NotAFolder => "it is not a folder".into(),
            TrustFault::IsALink => "it is a symbolic link, which is not followed here".into(),
            TrustFault::TooManyLinks => "too many symbolic links".into(),
            TrustFault::Owner { owner, uid: 0, .. } => format!(
                "it belongs to {}, and that user could change it",
                User(*owner)
            ),
            TrustFault::Owner { owner, uid, .. } => format!(
                "it belongs to {}, not to root or uid {uid}, and that user could change it",
                User(*owner)
            ),
            TrustFault::NotOurs { owner, uid } => format!(
                "it belongs to {} and must belong to uid {uid}",
                User(*owner)
            ),
            TrustFault::Writable {
                mode, group, doubt, ..
            } => match doubt {
                Some(doubt) => {
                    format!(
                        "others can write to it (mode {mode:04o}) by its group {group}: {doubt}"
                    )
                }
                None => format!("others can write to it (mode {mode:04o})"),
            },
            TrustFault::Readable {
                mode, group, doubt, ..
            } => match doubt {
                Some(GroupFault::AccessList) => {
                    format!(
                        "others can read it (mode {mode:04o}): {}",
                        GroupFault::AccessList
                    )
                }
                Some(doubt) => {
                    format!("others can read it (mode {mode:04o}) by its group {group}: {doubt}")
                }
                None => format!("others can read it (mode {mode:04o})"),
            },
            TrustFault::Open { mode, .. } => format!("others have access to it (mode {mode:04o})"),
            TrustFault::Shared { mode, .. } => {
                format!("its mode {mode:04o} does not match the users that may connect")
            }
            TrustFault::OfTheSystem { mode } => format!(
                "other users have access to it (mode {mode:04o}), as jetond.service needs it, and a daemon that starts here would shut them out"
            ),
            TrustFault::NotOurGroup(group) => format!(
                "it cannot be given to the group {group}: only root and members of a group can do that"
            ),
            TrustFault::HardLinks(n) => {
                format!("it has {n} names (hard links), so others may read it elsewhere")
            }
            TrustFault::TooLarge(cap) => format!("it is larger than {cap} bytes"),
            TrustFault::Denied(denied) => denied.what(),
            TrustFault::Io { action, .. } => format!("cannot {action} it"),
        }
    }

    /// Returns what the reader can do about it, if known.
    pub fn remedy(&self) -> Option<String> {
        remedy(&self.path, &self.why, self.purpose, self.reader)
    }
}

impl fmt::Display for UntrustedPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.path.display(), self.what())?;
        match (self.remedy(), &self.why) {
            (Some(remedy), TrustFault::Io { source, .. }) => write!(f, " ({source}): {remedy}"),
            (Some(remedy), _) => write!(f, ": {remedy}"),
            (None, _) => Ok(()),
        }
    }
}

impl std::error::Error for UntrustedPath {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match &self.why {
            // A message with a remedy already quotes this error.
            TrustFault::Io { source, .. } if self.remedy().is_none() => Some(source),
            _ => None,
        }
    }
}

/// A user by number, shown with the hint that 65534 often stands for another user.
struct User(u32);

impl fmt::Display for User {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "uid {}", self.0)?;
        if self.0 == OVERFLOW_UID {
            f.write_str(" (nobody, or a user that this container or namespace does not know)")?;
        }
        Ok(())
    }
}
