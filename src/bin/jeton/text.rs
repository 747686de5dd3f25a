//! The texts that the companion prints without a daemon. Plain text, 80 columns.

/// The output of `jeton version`.
pub(crate) const VERSION: &str = concat!("jeton ", env!("CARGO_PKG_VERSION"), "\n");

/// The usage line of `exec`.
pub(crate) const EXEC_USAGE: &str =
    "usage: jeton exec [--env NAME] [--file NAME] [PROFILE] -- COMMAND [ARGUMENT]...";

/// The help without a daemon, also printed on standard error if there is no verb. The daemon defines the text: a test
/// of the daemon writes the file.
pub(crate) const HELP: &str = include_str!("help.txt");
