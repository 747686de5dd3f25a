//! What the companion prints without a daemon. Plain text, 80 columns.

/// Output of `jeton version`.
pub(crate) const VERSION: &str = concat!("jeton ", env!("CARGO_PKG_VERSION"), "\n");

/// Usage line of `exec`.
pub(crate) const EXEC_USAGE: &str =
    "usage: jeton exec [--env NAME] [--file NAME] [PROFILE] -- COMMAND [ARGUMENT]...";

/// Help without a daemon, also printed on standard error when no verb was given. It is the daemon's text: a test of the
/// daemon writes the file.
pub(crate) const HELP: &str = include_str!("help.txt");
