//! The error of a file that was not replaced.

use std::io;

/// The reason why a file was not replaced, or not certainly.
#[derive(Debug)]
pub(crate) struct ReplaceError {
    /// The action that failed, as a verb with its object.
    pub(crate) action: &'static str,
    pub(crate) source: io::Error,
    /// Whether the new file is in place anyway. It might then be lost in a power failure.
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
