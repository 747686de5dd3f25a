//! The mode of the socket that is served, compared with that of the configuration.

use tracing::{error, info};

use super::super::sockets::mode::ModeSetter;
use crate::config::{Config, Name, SocketMode};

/// The mode of the served socket.
pub struct ServedMode {
    mode: SocketMode,
    /// Whether that is what the configuration says; else it is private for the time being.
    is_decided: bool,
    /// The group that it is for, if the configuration gives it by name.
    group: Option<Name>,
    /// How to change it; `None` if it is not for the configuration to say.
    setter: Option<ModeSetter>,
    /// Why the mode could not be set, as logged last.
    failed: String,
}

// === impl ServedMode ===

impl ServedMode {
    /// The mode that the socket was opened with by this configuration, if there was a valid one.
    pub fn new(config: Option<&Config>, setter: Option<ModeSetter>) -> Self {
        let group = config.and_then(|config| config.socket_group.as_ref());
        Self {
            mode: config.map_or(SocketMode::Private, |config| config.socket),
            is_decided: config.is_some_and(|config| !config.waits_for_group()),
            group: group.map(|named| named.name().clone()),
            setter,
            failed: String::new(),
        }
    }

    /// Whether the mode still has to be set.
    pub(super) const fn is_open(&self) -> bool {
        !self.is_decided
    }

    /// Sets the mode of the configuration that has been put in force, or whose names were looked up again, if the mode was
    /// not decided yet, or if it is for a group of the same name whose number has changed. Returns whether another mode
    /// needs a restart.
    pub(super) async fn follow(&mut self, config: &Config) -> bool {
        let name = config.socket_group.as_ref().map(|named| named.name());
        let is_same_group = name.is_some() && name == self.group.as_ref();
        let is_decided = !config.waits_for_group();
        if (self.mode, self.is_decided) == (config.socket, is_decided) {
            self.group = name.cloned();
            return false;
        }
        if self.is_decided && !is_same_group {
            return true;
        }
        if let Some(setter) = &self.setter {
            if let Err(error) = setter.set(config.socket, is_decided).await {
                let error = error.to_string();
                if error != self.failed {
                    error!(%error, mode = config.socket.as_str(), "the socket cannot be given its mode; trying again");
                    self.failed = error;
                }
                self.is_decided = false;
                return false;
            }
            if self.mode != config.socket {
                info!(
                    mode = config.socket.as_str(),
                    "the socket has another mode now"
                );
            }
        }
        self.failed.clear();
        (self.mode, self.is_decided) = (config.socket, is_decided);
        self.group = name.cloned();
        false
    }
}
