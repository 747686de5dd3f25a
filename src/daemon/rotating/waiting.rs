//! The waits of a rotation.

use std::sync::Arc;
use std::time::Duration;

use super::driver::{Driver, STORE};
use super::told;
use crate::config::StoreKind;
use crate::rotation::{Event, Overlap, Pause, Why};

/// How long a keyring must have answered before no earlier call to it can still change anything.
const LATE_WRITES: Duration = Duration::from_secs(60);

impl Driver {
    /// Waits until no earlier write to the store is unfinished.
    pub(super) async fn settle(&mut self) {
        let profile = self.shared.profile(&self.name);
        let is_keyring = profile.is_some_and(|it| it.store() == Some(&StoreKind::Keyring));
        let clock = Arc::clone(&self.shared.outside.clock);
        if !is_keyring {
            return;
        }
        loop {
            let now = clock.now();
            let until = now.boot.after(LATE_WRITES);
            let hindered = self.hindrance.told(Why::Store, now.unix);
            self.open
                .tell(told::settling(hindered, now.unix_of(until)), false);
            clock.sleep_until(until).await;
            match self.record().await {
                Ok(_) => return,
                Err(why) => self.hindrance.note(format!("{STORE}: {why}")),
            }
        }
    }

    /// Waits until this moment, or until there is a reason to go on before it.
    pub(super) async fn pause(&mut self, pause: Pause) -> Event {
        let (mut finishing, mut managing) = (self.open.finishing(), self.open.managing());
        let with = self.with.clone();
        let is_told = self.is_finish_told;
        let event = tokio::select! { biased;
            // The sender is in `open`, so it is not closed.
            _ = finishing.wait_for(|finish| *finish), if !is_told => Event::Finish,
            _ = managing.wait_for(|it| it.is_some() && *it != with) => Event::Woken,
            () = self.shared.outside.clock.sleep_until(pause.until) => Event::Woken,
            () = self.first_token() => Event::Woken,
        };
        self.is_finish_told |= event == Event::Finish;
        event
    }

    /// Manages the keys with the profile that a later request names, and writes that down.
    pub(super) async fn take_manager(&mut self, machine: &Overlap) {
        let wanted = self.open.managing().borrow().clone();
        if wanted.is_some() && wanted != self.with {
            self.with = wanted;
            self.claim(machine).await;
        }
    }

    /// A rotation that was taken up before the profile held a token learns how long the tokens live.
    pub(super) fn learn_lifetime(&mut self, machine: &mut Overlap) {
        if !machine.knows_lifetime()
            && let Some(lifetime) = self.lifetime()
        {
            machine.learn_lifetime(lifetime);
        }
        self.is_lifetime_known = machine.knows_lifetime();
    }

    /// Waits for a token, whose lifetime is not known yet; for ever if it is, or the profile is gone.
    async fn first_token(&self) {
        if !self.is_lifetime_known
            && let Some(handle) = self.shared.handle(&self.name)
            && handle
                .follow()
                .wait_for(|view| view.held.is_some())
                .await
                .is_ok()
        {
            return;
        }
        std::future::pending::<()>().await;
    }
}
