//! What a daemon is started with.

use std::ffi::OsString;
use std::path::PathBuf;
use std::time::Duration;

use crate::config::{Config, SocketMode};
use crate::paths::SocketPlaces;
use crate::policy::Guests;

/// What a daemon is started with.
#[derive(Debug, Clone)]
pub struct Options {
    /// The configuration file.
    pub config: PathBuf,
    /// Whether the command line or the environment names this very file: then it has to be there.
    pub config_named: bool,
    /// The state folder.
    pub state: PathBuf,
    /// The sockets.
    pub places: SocketPlaces,
    /// The user that we are.
    pub uid: u32,
    /// Where a service manager listens (`NOTIFY_SOCKET`). With one, an invalid configuration does not keep us from
    /// starting: callers then get the reason as their answer.
    pub notify: Option<OsString>,
    /// The interval of the service manager's watchdog, if it has one.
    pub watchdog: Option<Duration>,
    /// The names of the sockets that a service manager passes, if it does.
    pub listen_names: Option<String>,
    /// Whether to stop when standard input ends, which must be a pipe then.
    pub stop_at_eof: bool,
    /// Who connects beside our own user when the daemon serves one command, which runs as one of these: everybody gets to
    /// the token socket then, and no rule lets in further ones.
    pub guests: Guests,
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
}
