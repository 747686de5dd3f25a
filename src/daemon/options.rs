//! The options that a daemon is started with.

use std::ffi::OsString;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use crate::config::{Config, SocketMode};
use crate::paths::SocketPlaces;
use crate::policy::Guests;
use crate::process::crash_loop::Life;
use crate::store::Surroundings;

/// The options that a daemon is started with.
#[derive(Debug, Clone)]
pub struct Options {
    /// The configuration file.
    pub config: PathBuf,
    /// Whether the command line or the environment names this file; then it must exist.
    pub config_named: bool,
    /// The state folder.
    pub state: PathBuf,
    /// The sockets.
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
    /// Whether to stop when standard input ends, which must be a pipe then.
    pub stop_at_eof: bool,
    /// The users that the command may run as, when the daemon serves one command. If there are any, all users can
    /// connect to the token socket, and no rule admits further ones.
    pub guests: Guests,
    /// The record of this life, where a service manager keeps one.
    pub life: Option<Life>,
    /// What sources of credentials need.
    pub surroundings: Arc<Surroundings>,
}

// === impl Options ===

impl Options {
    /// The mode of the token socket.
    pub(super) fn mode(&self, config: Option<&Config>) -> SocketMode {
        if self.guests.is_empty() {
            config.map_or(SocketMode::Private, |config| config.socket)
        } else {
            SocketMode::All
        }
    }

    /// Whether that mode is what the configuration says, and not one for the time being.
    pub(super) fn is_mode_decided(&self, config: Option<&Config>) -> bool {
        !self.guests.is_empty() || config.is_some_and(|config| !config.waits_for_group())
    }
}
