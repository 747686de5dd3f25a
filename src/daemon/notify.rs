//! What the service manager is told (sd_notify(3)).
//!
//! `Type=notify-reload` is not known before systemd 253, so a unit that runs on Debian 12 is `Type=notify`, and a reload
//! is told with `RELOADING=1` and `READY=1`.

use sd_notify::NotifyState;
use tracing::{debug, warn};

/// The way to the service manager, if there is one.
#[derive(Debug, Clone, Copy)]
pub struct Notify {
    listens: bool,
}

impl Notify {
    /// `listens` is whether `NOTIFY_SOCKET` is set: otherwise nothing is told to anybody.
    pub const fn new(listens: bool) -> Self {
        Self { listens }
    }

    /// Whether somebody listens.
    pub const fn listens(self) -> bool {
        self.listens
    }

    /// We serve, or have read the configuration again. `status` is one line.
    pub fn ready(self, status: &str) {
        if let Err(error) = self.tell(&[NotifyState::Ready, NotifyState::Status(status)]) {
            // The manager will take us for one that never came up, so this is worth a line.
            warn!(%error, "the service manager could not be told that we are ready");
        }
    }

    /// We read the configuration again.
    pub fn reloading(self) {
        match NotifyState::monotonic_usec_now() {
            Ok(now) => self.try_tell(&[NotifyState::Reloading, now]),
            Err(error) => debug!(%error, "there is no monotonic clock"),
        }
    }

    /// How it goes, in one line.
    pub fn status(self, status: &str) {
        self.try_tell(&[NotifyState::Status(status)]);
    }

    /// We stop.
    pub fn stopping(self) {
        self.try_tell(&[NotifyState::Stopping, NotifyState::Status("stopping")]);
    }

    fn try_tell(self, state: &[NotifyState<'_>]) {
        if let Err(error) = self.tell(state) {
            debug!(%error, "the service manager could not be told");
        }
    }

    fn tell(self, state: &[NotifyState<'_>]) -> std::io::Result<()> {
        if self.listens {
            sd_notify::notify(state)
        } else {
            Ok(())
        }
    }
}
