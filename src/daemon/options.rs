//! Options of a daemon.

use std::ffi::OsString;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use crate::config::{Config, SocketMode};
use crate::paths::SocketPlaces;
use crate::policy::AllowedUsers;
use crate::process::crash_loop::CrashRecord;
use crate::store::SourceContext;

/// Options of a daemon.
#[derive(Debug, Clone)]
pub struct Options {
    /// The configuration file.
    pub config: PathBuf,
    /// Whether the command line or the environment names the file. A named file must exist.
    pub config_named: bool,
    /// The state folder.
    pub state: PathBuf,
    /// Paths of the sockets.
    pub places: SocketPlaces,
    /// The user that the daemon runs as.
    pub uid: u32,
    /// The service manager's notification socket (`NOTIFY_SOCKET`). With one, the daemon starts even if the
    /// configuration is invalid, and callers get the reason as their answer.
    pub notify: Option<OsString>,
    /// The interval of the service manager's watchdog, if it has one.
    pub watchdog: Option<Duration>,
    /// The names of the sockets that a service manager passes, if it passes any.
    pub listen_names: Option<String>,
    /// Whether to stop at the end of standard input, which must be a pipe in that case.
    pub stop_at_eof: bool,
    /// The users that the command may run as, when the daemon serves one command. If there are any, every user can
    /// connect to the token socket, and the rules admit no other users.
    pub guests: AllowedUsers,
    /// The record of this run, if a service manager keeps one.
    pub life: Option<CrashRecord>,
    /// The environment of credential sources.
    pub surroundings: Arc<SourceContext>,
}

// === impl Options ===

impl Options {
    /// Returns the mode of the token socket.
    pub(super) fn mode(&self, config: Option<&Config>) -> SocketMode {
        if self.guests.is_empty() {
            config.map_or(SocketMode::Private, |config| config.socket)
        } else {
            SocketMode::All
        }
    }

    /// Whether this mode is final, rather than a temporary one until the configuration is known.
    pub(super) fn is_mode_decided(&self, config: Option<&Config>) -> bool {
        !self.guests.is_empty() || config.is_some_and(|config| !config.waits_for_group())
    }
}
