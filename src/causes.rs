//! Formats an error and its causes in one line.

use std::error::Error;
use std::fmt;

/// An error that is shown with its causes: its own text, then each cause after a colon. The error's own text says only
/// what was tried.
pub(crate) struct Causes<'a>(pub(crate) &'a dyn Error);

impl fmt::Display for Causes<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0)?;
        let mut cause = self.0.source();
        while let Some(error) = cause {
            write!(f, ": {error}")?;
            cause = error.source();
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::io;
    use std::path::Path;

    use super::*;
    use crate::trust::{TrustFault, UntrustedPath};

    #[test]
    fn the_system_error_follows_the_failed_action() {
        let source = io::Error::other("the disk is on fire");
        let error = UntrustedPath::new(Path::new("/a"), TrustFault::io("open", source));
        assert_eq!(
            Causes(&error).to_string(),
            "/a: cannot open it: the disk is on fire"
        );
        let missing = UntrustedPath::new(Path::new("/a"), TrustFault::Missing);
        assert_eq!(Causes(&missing).to_string(), missing.to_string());
    }
}
