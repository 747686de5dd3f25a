//! The open rotations of this daemon, and the start of their tasks.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::mpsc;
use tracing::Instrument as _;

use super::driver::{Driver, ELSEWHERE};
use super::environment::Shared;
use super::how::HowToRotate;
use super::open::Open;
use super::prepared::Outcome;
use crate::profile::ProfileName;
use crate::rotation::Command;

/// The open rotations of this daemon.
pub(super) struct Inner {
    pub(super) shared: Arc<Shared>,
    /// Receives the profiles whose record says that a rotation is open, until the first configuration is in force.
    found: Mutex<Option<mpsc::UnboundedReceiver<ProfileName>>>,
    open: Mutex<BTreeMap<ProfileName, Arc<Open>>>,
}

// === impl Inner ===

impl Inner {
    /// Creates the value without open rotations. `found` receives the profiles whose record says that one is open.
    pub(super) fn new(shared: Shared, found: mpsc::UnboundedReceiver<ProfileName>) -> Self {
        Self {
            shared: Arc::new(shared),
            found: Mutex::new(Some(found)),
            open: Mutex::default(),
        }
    }

    /// Resumes the rotations that an earlier process left open, and forgets those that need a person if nothing is
    /// left of them. Checks whether undeleted former keys are gone by now.
    pub(super) async fn resume_all(self: Arc<Self>) {
        let open = self.shared.left_open().await;
        let looked = Arc::clone(&self.shared);
        let with_left = self.shared.blocking(move || looked.read_left()).await;
        // A command may have removed what an ended rotation had left, or with it the profile.
        self.open()
            .retain(|name, it| !it.is_over() || open.contains(name));
        for profile in open {
            self.begin(&profile, None);
        }
        for profile in with_left.unwrap_or_default() {
            self.look_for_left(profile);
        }
    }

    /// Starts the task of this profile's rotation, unless it runs already. `None` for `how` resumes an open rotation.
    pub(super) fn begin(
        self: &Arc<Self>,
        profile: &ProfileName,
        how: Option<HowToRotate>,
    ) -> Arc<Open> {
        let mut all = self.open();
        if let Some(open) = all.get(profile).filter(|open| !open.is_over()) {
            if how.as_ref().is_some_and(|how| how.finish) {
                open.finish();
            }
            if let Some(with) = how.as_ref().and_then(|how| how.with.as_ref()) {
                open.manage_with(with);
            }
            return Arc::clone(open);
        }
        let now = self.shared.outside.clock.now().unix;
        let open = Arc::new(match all.get(profile) {
            // A person may have mended at the issuer what no change of the stored credential shows.
            Some(before) if how.is_none() => Open::after(before, now),
            _ => Open::new(now),
        });
        if how.as_ref().is_some_and(|how| how.finish) {
            open.finish();
        }
        all.insert(profile.clone(), Arc::clone(&open));
        let driver = Driver::new(Arc::clone(&self.shared), profile.clone(), Arc::clone(&open));
        let (inner, name) = (Arc::downgrade(self), profile.clone());
        let span = tracing::error_span!("rotation", profile = %name);
        let (task, ended) = (driver.run(how), Arc::clone(&open));
        tokio::spawn(
            async move {
                let outcome = task.await;
                let Some(inner) = inner.upgrade() else { return };
                inner.remove(&name, &ended);
                match outcome {
                    Outcome::Over => {}
                    Outcome::NotBegun => inner.resume_left(&name, Duration::ZERO).await,
                    Outcome::DrivenElsewhere => inner.resume_left(&name, ELSEWHERE).await,
                }
            }
            .instrument(span),
        );
        open
    }

    /// Removes a rotation that is over, unless it needs a person: then the status shows it.
    fn remove(&self, name: &ProfileName, ended: &Arc<Open>) {
        let is_gone = ended.shown().is_none();
        let mut all = self.open();
        if is_gone && all.get(name).is_some_and(|open| Arc::ptr_eq(open, ended)) {
            all.remove(name);
        }
    }

    /// Resumes this profile's rotation after this time if one is open: the task that has ended could not drive it, and
    /// no other task of this process does.
    async fn resume_left(self: &Arc<Self>, profile: &ProfileName, wait: Duration) {
        let clock = &self.shared.outside.clock;
        clock.sleep_until(clock.now().boot.after(wait)).await;
        if self.shared.left_open().await.contains(profile) {
            self.begin(profile, None);
        }
    }

    /// Resumes the rotation of each profile whose record, when it is read, says that one is open. This finds
    /// rotations whose journal was lost, and those in a keyring, which is read only when its profile needs it.
    pub(super) fn follow_records(self: &Arc<Self>) {
        let found = self
            .found
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .take();
        let (Some(mut found), inner) = (found, Arc::downgrade(self)) else {
            return;
        };
        tokio::spawn(async move {
            while let Some(profile) = found.recv().await {
                let Some(inner) = inner.upgrade() else { return };
                // A refused rotation stays in the map; otherwise each read of the record would try to resume it.
                let is_known = inner.open().contains_key(&profile);
                if !is_known && inner.shared.profile(&profile).is_some() {
                    inner.begin(&profile, None);
                }
            }
        });
    }

    /// Lists the profile's keys, and forgets those undeleted former keys that the issuer no longer has.
    fn look_for_left(self: &Arc<Self>, profile: ProfileName) {
        let open = Arc::new(Open::new(self.shared.outside.clock.now().unix));
        let mut driver = Driver::new(Arc::clone(&self.shared), profile, open);
        tokio::spawn(async move { driver.perform(Command::List).await });
    }

    pub(super) fn open(&self) -> MutexGuard<'_, BTreeMap<ProfileName, Arc<Open>>> {
        // No code panics while it holds this lock, so the lock is never poisoned.
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
