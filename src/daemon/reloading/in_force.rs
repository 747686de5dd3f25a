//! Puts one configuration in force.

use tracing::warn;

use super::Reloading;
use crate::config::Config;
use crate::query::{Reloaded, SocketTakes};
use crate::settings::Found;

impl Reloading {
    /// Puts a configuration in force, with the numbers of before for names whose look-up failed.
    pub(super) async fn put_in_force(&mut self, found: Found) -> Reloaded {
        let Found {
            mut config,
            content,
            ..
        } = found;
        self.content = content;
        self.is_machines_fault = false;
        config.keep_numbers_of(self.wiring.config());
        self.tell_doubts(&config);
        let socket = self.served.follow(&config).await;
        let restart_needed = socket == SocketTakes::Restart;
        if restart_needed && !self.logged_restart {
            warn!("restart needed: another [socket] mode or group is not taken up by a reload");
        }
        self.logged_restart = restart_needed;
        Reloaded {
            socket,
            ..self.apply(config).await
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
