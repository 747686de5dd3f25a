//! Why a file was not replaced.

use std::io;

/// Why a file was not replaced, or not surely.
#[derive(Debug)]
pub(crate) struct ReplaceError {
    /// What we tried to do, as a verb with its object.
    pub(crate) action: &'static str,
    pub(crate) source: io::Error,
    /// Whether the new file is in place all the same: it then might not outlive a power failure.
    pub(crate) replaced: bool,
}

impl ReplaceError {
    pub(super) const fn before(action: &'static str, source: io::Error) -> Self {
        Self {
            action,
            source,
            replaced: false,
        }
    }
}
