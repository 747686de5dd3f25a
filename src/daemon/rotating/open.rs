//! An open rotation, as callers see it.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::watch;

use super::step::{RotationShown, RotationStep, StepLog, Steps};
use crate::instant::UnixTime;
use crate::profile::ProfileName;
use crate::rotation::{Notes, Phase, SecretHash};

/// An open rotation, shared by its task and its callers.
pub(super) struct Open {
    since: UnixTime,
    written: watch::Sender<Arc<StepLog>>,
    keys: Mutex<Keys>,
    finish: watch::Sender<bool>,
    /// The profile that manages the keys, if a later request named one.
    manager: watch::Sender<Option<ProfileName>>,
    /// Whether the rotation's task has ended.
    is_over: AtomicBool,
    /// Whether the rotation is shown after its task has ended.
    stays: AtomicBool,
}

/// The names of the keys of a rotation.
#[derive(Default)]
struct Keys {
    old: Option<String>,
    new: Option<String>,
    is_switched: bool,
    /// Whether this is a rotation in place; `None` until that is known.
    is_in_place: Option<bool>,
    /// The secret that the issuer rejected for good, if a rotation in place ended with that.
    locked_out: Option<SecretHash>,
}

// === impl Open ===

impl Open {
    pub(super) fn new(since: UnixTime) -> Self {
        Self {
            since,
            written: watch::channel(Arc::default()).0,
            keys: Mutex::default(),
            finish: watch::channel(false).0,
            manager: watch::channel(None).0,
            is_over: AtomicBool::new(false),
            stays: AtomicBool::new(false),
        }
    }

    /// Creates the value for a rotation that is resumed after its task has ended.
    pub(super) fn after(before: &Self, since: UnixTime) -> Self {
        let next = Self::new(since);
        next.lock_keys().locked_out = before.locked_out();
        next
    }

    /// Notes the secret that the issuer rejects for good.
    pub(super) fn note_locked_out(&self, secret: SecretHash) {
        self.lock_keys().locked_out = Some(secret);
    }

    /// Returns the secret that the issuer rejected for good when the rotation in place was last judged.
    pub(super) fn locked_out(&self) -> Option<SecretHash> {
        self.lock_keys().locked_out.clone()
    }

    /// Returns the rotation's steps for one more caller.
    pub(super) fn steps(&self) -> Steps {
        Steps::new(self.written.subscribe())
    }

    /// Requests that the old key is deleted without further waiting.
    pub(super) fn finish(&self) {
        self.finish.send_replace(true);
    }

    /// Returns a receiver of the request to finish.
    pub(super) fn finishing(&self) -> watch::Receiver<bool> {
        self.finish.subscribe()
    }

    /// Requests that the keys are managed with the token of this profile from now on.
    pub(super) fn manage_with(&self, profile: &ProfileName) {
        self.manager.send_replace(Some(profile.clone()));
    }

    /// Forgets the request for another managing profile.
    pub(super) fn keep_manager(&self) {
        self.manager.send_replace(None);
    }

    /// Returns a receiver of the managing profile's name.
    pub(super) fn managing(&self) -> watch::Receiver<Option<ProfileName>> {
        self.manager.subscribe()
    }

    /// Notes the names of the keys.
    pub(super) fn note(&self, notes: &Notes) {
        let mut keys = self.lock_keys();
        keys.old = Some(notes.old.label().to_owned());
        keys.new = Some(notes.name.clone());
        keys.is_switched = matches!(notes.phase, Phase::Grace | Phase::Deleting);
        keys.is_in_place = Some(false);
    }

    /// Notes the name of the key whose secret is replaced in place.
    pub(super) fn note_in_place(&self, key: &str) {
        let mut keys = self.lock_keys();
        keys.old = Some(key.to_owned());
        keys.is_in_place = Some(true);
    }

    /// Returns whether this is a rotation in place, once that is known.
    pub(super) fn is_in_place(&self) -> Option<bool> {
        self.lock_keys().is_in_place
    }

    /// Sends a step to all callers. A step with an end ends the rotation; `stays` keeps it in the status after that.
    pub(super) fn tell(&self, step: RotationStep, stays: bool) {
        if step.end.is_some() {
            self.stays.store(stays, Ordering::SeqCst);
            self.is_over.store(true, Ordering::SeqCst);
        }
        self.written.send_if_modified(|written| {
            let more = written.with(step);
            more.map(|more| *written = Arc::new(more)).is_some()
        });
    }

    fn lock_keys(&self) -> MutexGuard<'_, Keys> {
        // No code panics while it holds this lock, so the lock is never poisoned.
        self.keys.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Returns whether the rotation's task has ended.
    pub(super) fn is_over(&self) -> bool {
        self.is_over.load(Ordering::SeqCst)
    }

    /// Returns the rotation's status; `None` if it is over and need not be shown.
    pub(super) fn shown(&self) -> Option<RotationShown> {
        let needs_human = self.is_over();
        if needs_human && !self.stays.load(Ordering::SeqCst) {
            return None;
        }
        let written = Arc::clone(&self.written.borrow());
        let keys = self.lock_keys();
        let last = written.last();
        Some(RotationShown {
            phase: last.map_or("checking", |step| step.name),
            since: self.since,
            sentence: last.map_or_else(String::new, |step| step.sentence.clone()),
            until: last.and_then(|step| step.until),
            waits_since: last.and_then(|step| step.since),
            code: last.and_then(|step| step.code),
            old_key: keys.old.clone(),
            new_key: keys.new.clone(),
            is_switched: keys.is_switched,
            needs_human,
        })
    }
}
