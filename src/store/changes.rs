//! Where a change of a credential shows.

use std::path::PathBuf;

/// Where a change of a credential shows. A credential may have several of these; without any, as behind a command, it is
/// read only when there is a reason to.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
#[non_exhaustive]
pub enum ChangeSource {
    /// In a file, which may be written in place or replaced, also by way of a link.
    File(PathBuf),
    /// In the OS keyring.
    Keyring,
}
