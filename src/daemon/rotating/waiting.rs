//! The waits of a rotation.

use std::sync::Arc;
use std::time::Duration;

use tracing::warn;

use super::driver::Driver;
use super::rotation_wait::STORE;
use super::step_texts;
use crate::applications::Kind;
use crate::config::StoreKind;
use crate::profile::ProfileName;
use crate::rotation::{Event, Notes, Overlap, Pause, WaitReason};

/// How long to wait before a keyring that answers counts as having finished all earlier writes.
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
            let hindered = self.hindrance.describe(WaitReason::Store, now.unix);
            self.open
                .tell(step_texts::settling(hindered, now.unix_of(until)), false);
            clock.sleep_until(until).await;
            match self.record().await {
                Ok(_) => return,
                Err(why) => self.hindrance.note(format!("{STORE}: {why}")),
            }
        }
    }

    /// Waits until this moment, or until a request gives a reason to continue earlier.
    pub(super) async fn pause(&mut self, pause: Pause) -> Event {
        let (mut finishing, mut managing) = (self.open.finishing(), self.open.managing());
        let with = self.with.clone();
        let is_told = self.is_finish_told;
        // The configuration may say now that the old key stays, or how long.
        let is_by_terms = matches!(
            pause.why,
            WaitReason::Grace | WaitReason::Unused | WaitReason::InUse | WaitReason::NoLoginsShown
        );
        let event = tokio::select! { biased;
            // `self.open` holds the sender, so the channel is never closed.
            _ = finishing.wait_for(|finish| *finish), if !is_told => Event::Finish,
            _ = managing.wait_for(|it| it.is_some() && *it != with) => Event::Woken,
            () = self.shared.outside.clock.sleep_until(pause.until) => Event::Woken,
            () = self.first_token() => Event::Woken,
            () = self.shared.reloaded(), if is_by_terms => Event::Woken,
        };
        self.is_finish_told |= event == Event::Finish;
        event
    }

    /// Switches to the managing profile that a later request named, and writes it to the journal. To the token of
    /// another user, the keys of this rotation would look deleted; so a profile that does not see one is refused.
    pub(super) async fn take_manager(&mut self, machine: &Overlap) {
        let wanted = self.open.managing().borrow().clone();
        let Some(wanted) = wanted.filter(|it| self.with.as_ref() != Some(it)) else {
            return;
        };
        match self.sees_keys(&wanted, machine.notes()).await {
            Ok(()) => {
                self.with = Some(wanted);
                self.claim(machine).await;
            }
            Err(why) => {
                warn!(profile = %wanted, why, "the profile does not manage the keys");
                self.open.keep_manager();
                let now = self.shared.outside.clock.now().unix;
                self.open
                    .tell(step_texts::not_managing(&wanted, &why, now), false);
            }
        }
    }

    /// Checks whether the token of this profile sees a key of the rotation.
    ///
    /// # Errors
    /// The reason why it does not, for people.
    async fn sees_keys(&mut self, manager: &ProfileName, notes: &Notes) -> Result<(), String> {
        let before = self.with.replace(manager.clone());
        let keys = self.keys().await;
        self.with = before;
        let Some(keys) = keys else {
            let what = self.hindrance.what().unwrap_or("it has no token");
            return Err(what.to_owned());
        };
        let listed = keys.list(Kind::Auto).await;
        let listed = listed.map_err(|trouble| trouble.to_string())?;
        let ours = [Some(&notes.old), notes.new.as_ref()];
        let mut ours = ours.into_iter().flatten();
        match ours.any(|key| listed.keys.iter().any(|it| it.client_id == key.client_id)) {
            true => Ok(()),
            false => Err("its user has none of the keys of this rotation".to_owned()),
        }
    }

    /// Passes on the lifetime of the tokens to a state machine that was made before the profile held a token.
    pub(super) fn learn_lifetime(&mut self, machine: &mut Overlap) {
        if !machine.knows_lifetime()
            && let Some(lifetime) = self.lifetime()
        {
            machine.learn_lifetime(lifetime);
        }
        self.is_lifetime_known = machine.knows_lifetime();
    }

    /// Waits for the first token if the tokens' lifetime is unknown. Otherwise, or if the profile is gone, waits for
    /// ever.
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
