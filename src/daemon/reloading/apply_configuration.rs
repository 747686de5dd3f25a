//! Applies one configuration.

use tracing::warn;

use super::Reloading;
use crate::config::{Config, Profile};
use crate::query::{Reloaded, SocketModeChange};
use crate::settings::ConfigFile;

impl Reloading {
    /// Applies a configuration. User and group names whose look-up failed keep their previous numbers.
    pub(super) async fn apply_file(&mut self, found: ConfigFile) -> Reloaded {
        let ConfigFile {
            mut config,
            content,
            ..
        } = found;
        self.content = content;
        self.is_machines_fault = false;
        config.keep_numbers_of(self.wiring.config());
        self.tell_doubts(&config);
        self.warn_of_second_daemon(&config);
        let socket = self.served.follow(&config).await;
        let restart_needed = socket == SocketModeChange::Restart;
        if restart_needed && !self.logged_restart {
            warn!("restart needed: a reload does not apply a changed [socket] mode or group");
        }
        self.logged_restart = restart_needed;
        Reloaded {
            socket,
            ..self.apply(config).await
        }
    }

    /// Logs one line for each profile whose issuer invalidates old tokens. A daemon that serves one command is often a
    /// second one with the same configuration, and the two would end each other's tokens.
    fn warn_of_second_daemon(&self, config: &Config) {
        let before = &self.wiring.config().profiles;
        for (name, profile) in &config.profiles {
            let is_known = before.get(name).is_some_and(Profile::kills_old);
            if self.is_of_command && profile.kills_old() && !is_known {
                warn!(
                    profile = %name,
                    "with reissue = \"kills-old\", this daemon and any other with the same client end each other's tokens: give each daemon a client of its own"
                );
            }
        }
    }

    async fn apply(&mut self, config: Config) -> Reloaded {
        self.logged.clear();
        let done = self.wiring.apply(config).await;
        if self.notify.listens() {
            self.condition.renew();
        }
        done
    }
}
