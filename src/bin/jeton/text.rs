//! What the companion says without a daemon. Plain words, 80 columns.

/// `jeton version`.
pub(crate) const VERSION: &str = concat!("jeton ", env!("CARGO_PKG_VERSION"), "\n");

/// How `exec` is called.
pub(crate) const EXEC_USAGE: &str =
    "usage: jeton exec [--env NAME] [PROFILE] -- COMMAND [ARGUMENT]...";

/// `jeton help` where no daemon answers, and on standard error when no verb was given. The daemon's words, which a test of
/// the daemon writes here.
pub(crate) const HELP: &str = include_str!("help.txt");
