//! The places that show a change of a credential.

use std::path::PathBuf;

/// A place that shows a change of a credential. A credential may have several. One without any, such as the output of a
/// command, is read only when there is a reason to.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
#[non_exhaustive]
pub enum ChangeSource {
    /// A file, which may be written in place or replaced, also through a symbolic link.
    File(PathBuf),
    /// The OS keyring.
    Keyring,
}
