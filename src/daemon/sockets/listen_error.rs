//! Reason why a socket cannot be served.

use std::fmt;
use std::io;
use std::path::PathBuf;

use rustix::io::Errno;

use crate::causes::Causes;
use crate::process::manager::SystemdManager;
use crate::trust::{self, UntrustedPath};

/// Reason why a socket cannot be served.
#[derive(Debug)]
#[non_exhaustive]
pub enum ListenError {
    /// The socket's folder cannot be trusted.
    Folder(UntrustedPath),
    /// Another daemon serves the socket.
    InUse(PathBuf),
    /// A service manager listens on the socket, for a service of ours.
    OfAService {
        /// The socket.
        path: PathBuf,
        /// The manager.
        manager: SystemdManager,
    },
    /// A file that is not a socket is in its place.
    NotASocket(PathBuf),
    /// A system call failed.
    Io {
        /// What the daemon was doing.
        action: &'static str,
        /// The path that the call was about.
        path: PathBuf,
        /// The system's error.
        source: io::Error,
    },
}

// === impl ListenError ===

impl ListenError {
    /// Whether a later start may succeed without a repair: another daemon serves the socket, the disk is full, or the
    /// system has refused a descriptor, a process or memory.
    pub fn is_passing(&self) -> bool {
        match self {
            Self::InUse(_) | Self::OfAService { .. } => true,
            Self::Folder(untrusted) => untrusted.is_passing() || untrusted.is_full(),
            Self::Io { source, .. } => trust::is_passing(source) || trust::is_full(source),
            Self::NotASocket(_) => false,
        }
    }
}

impl fmt::Display for ListenError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Folder(untrusted) => write!(f, "the socket's folder: {}", Causes(untrusted)),
            Self::InUse(path) => write!(f, "a daemon already serves {}", path.display()),
            Self::OfAService { path, manager } => write!(
                f,
                "{} already serves {}: to see how it does, run: {} status jetond; for another daemon choose another place with --socket",
                manager.service(),
                path.display(),
                manager.systemctl()
            ),
            Self::NotASocket(path) => write!(
                f,
                "{} is in the socket's place and is not a socket; move it away",
                path.display()
            ),
            Self::Io {
                action,
                path,
                source,
            } => {
                write!(f, "cannot {action} {}: {source}", path.display())?;
                if trust::is_full(source) {
                    f.write_str("; make room there and try again")
                } else if Errno::from_io_error(source) == Some(Errno::AFNOSUPPORT) {
                    f.write_str("; this process may use no Unix sockets: a unit's RestrictAddressFamilies= must have AF_UNIX")
                } else {
                    Ok(())
                }
            }
        }
    }
}

impl std::error::Error for ListenError {}
