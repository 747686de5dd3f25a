//! Why there is no place for a socket or the state.

use std::fmt;
use std::path::PathBuf;

/// Why there is no place.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum PathError {
    /// Neither a home nor anything else says where this goes.
    NoHome {
        /// What has no place.
        what: &'static str,
        /// What to set.
        set: &'static str,
    },
    /// A socket's path that names no file in a folder.
    NoFolder(PathBuf),
    /// The admin socket would be in the token socket's folder, and so be given away with it.
    SharedFolder(PathBuf),
    /// The path is longer than a socket's address holds.
    TooLong {
        /// The path.
        path: PathBuf,
        /// The longest that is possible, in bytes.
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
                "{}: the admin socket must not be in the folder of the token socket: whoever is given that folder could administer the daemon",
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
