//! The error for a location that cannot be determined.

use std::fmt;
use std::path::PathBuf;

/// The reason why there is no location.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum PathError {
    /// Neither a home nor any other variable determines it.
    NoHome {
        /// The thing without a location.
        what: &'static str,
        /// The variable or option to set.
        set: &'static str,
    },
    /// The socket's path does not name a file in a folder.
    NoFolder(PathBuf),
    /// The admin socket would be in the token socket's folder, and so be shared together with it.
    SharedFolder(PathBuf),
    /// The path is longer than a socket's address allows.
    TooLong {
        /// The path.
        path: PathBuf,
        /// The longest possible path, in bytes.
        limit: usize,
    },
}

// === impl PathError ===

impl fmt::Display for PathError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoHome { what, set } => write!(f, "no folder for the {what}: set {set}"),
            Self::NoFolder(path) => write!(
                f,
                "{}: a socket needs a folder of its own: write the full path, such as /run/jeton/jeton.sock",
                path.display()
            ),
            Self::SharedFolder(path) => write!(
                f,
                "{}: the admin socket must not be in the folder of the token socket: a container that gets that folder could administer the daemon",
                path.display()
            ),
            Self::TooLong { path, limit } => write!(
                f,
                "{}: the path of a socket can have {limit} bytes and this one has {}: choose a shorter one with --socket or JETON_SOCKET",
                path.display(),
                path.as_os_str().len()
            ),
        }
    }
}

impl std::error::Error for PathError {}
