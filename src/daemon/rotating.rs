//! Rotates the keys of profiles: each open rotation has a task that executes the commands of a state machine.
//!
//! The task belongs to the daemon: a rotation goes on when its caller disconnects. [`Rotations::resume_all`] resumes
//! the rotations that an earlier process left open. A task can be dropped at any moment, because everything that a
//! resume needs is in the stored record and in the journal.
//! | File | What it does |
//! |---|---|
//! | `environment` | what rotations need of the rest of the program |
//! | `inner` | the open rotations, and the start of their tasks |
//! | `how` | the options of a rotation |
//! | `rotation_wait` | what a rotation is waiting for, in words for people |
//! | `left` | keys that the issuer refused to delete for a rotation |
//! | `finding` | finds the rotations that an earlier process left open |
//! | `begin`, `prepared` | makes a rotation's state machine, a new one or from its journal or record; the task's outcome |
//! | `driver` | executes the commands of the state machine one after the other |
//! | `waiting` | the waits of a rotation |
//! | `calls` | the calls to the issuer's API |
//! | `sharing` | the other profiles with the same key |
//! | `guarding` | keeps the old key while the new one gets no token |
//! | `proving`, `proven` | proves the new secret by getting a token with it |
//! | `journal_writing` | writes the journal |
//! | `storing`, `recorded` | the changes of the record, and their calls off the event loop |
//! | `journal` | converts the state machine's notes to and from the journal |
//! | `open` | an open rotation, as callers see it |
//! | `in_place`, `exchange` | the same for a rotation in place, and the data that it keeps between its steps |
//! | `step_texts` | the sentence for each step |
//! | `step` | the steps that a caller gets, and the status of an open rotation |
//! | `refused` | reasons why a rotation does not begin |

use std::sync::Arc;

use tokio::sync::mpsc;

use self::driver::Driver;
use self::environment::Shared;
use self::inner::Inner;
use self::open::Open;
use crate::config::{Config, Profile, Provider};
use crate::profile::ProfileName;

mod begin;
mod calls;
mod driver;
mod environment;
mod exchange;
mod finding;
mod guarding;
mod how;
mod in_place;
mod inner;
mod journal;
mod journal_writing;
mod left;
mod open;
mod prepared;
mod proven;
mod proving;
mod recorded;
mod refused;
mod rotation_wait;
mod sharing;
mod step;
mod step_texts;
mod storing;
#[cfg(test)]
mod tests;
mod waiting;

pub use environment::{Environment, KeyApiOf, Offload};
pub use how::{HowToRotate, Mode};
pub use refused::{InPlaceRefused, RotationRefused};
pub use step::{RotationEnd, RotationShown, RotationStep, Steps};

/// The rotations of this daemon. The default value has none and refuses to begin one.
#[derive(Default)]
pub struct Rotations(Option<Arc<Inner>>);

/// Channel for the name of a profile whose stored record says that a rotation of its key is open.
pub type OpenRotationSender = mpsc::UnboundedSender<ProfileName>;

// === impl Rotations ===

impl Rotations {
    /// Returns rotations without profiles, and the channel on which the stores report a record with an open rotation.
    pub fn new(outside: Environment) -> (Self, OpenRotationSender) {
        let (sender, found) = mpsc::unbounded_channel();
        let inner = Inner::new(Shared::new(outside), found);
        (Self(Some(Arc::new(inner))), sender)
    }

    /// Takes over the profiles of the configuration in force, and resumes the open rotations.
    pub fn configure(&self, config: &Config) {
        if let Some(inner) = &self.0 {
            inner.shared.configure(config);
            inner.follow_records();
            self.resume_all();
        }
    }

    /// Begins a rotation of this profile's key, or joins the open one. The returned steps start with the rotation's
    /// first.
    ///
    /// # Errors
    /// [`RotationRefused`] if no rotation can begin.
    pub fn start(&self, profile: &ProfileName, how: HowToRotate) -> Result<Steps, RotationRefused> {
        let inner = self.may_rotate(profile, &how)?;
        Ok(inner.begin(profile, Some(how)).steps())
    }

    /// Checks whether a rotation in place could begin now, or be joined. Changes nothing.
    ///
    /// # Errors
    /// [`RotationRefused`] if neither is possible.
    pub async fn check_in_place(
        &self,
        profile: &ProfileName,
        how: &HowToRotate,
    ) -> Result<(), RotationRefused> {
        let inner = self.may_rotate(profile, how)?;
        let open = inner.open().get(profile).map(Arc::clone);
        match open.filter(|open| !open.is_over()) {
            Some(open) if open.is_in_place() == Some(false) => {
                return Err(InPlaceRefused::OverlapIsOpen.into());
            }
            Some(_) => return Ok(()),
            None => {}
        }
        let shared = Arc::clone(&inner.shared);
        let open = Open::new(shared.outside.clock.now().unix);
        let mut driver = Driver::new(shared, profile.clone(), Arc::new(open));
        driver.check_in_place(how).await
    }

    fn may_rotate(
        &self,
        profile: &ProfileName,
        how: &HowToRotate,
    ) -> Result<&Arc<Inner>, RotationRefused> {
        let inner = self.0.as_ref().ok_or(RotationRefused::OfOneCommand)?;
        let of = inner.shared.profile(profile);
        let of = of.ok_or(RotationRefused::NoProfile)?;
        may_rotate(&of)?;
        match &how.with {
            Some(with) if inner.shared.profile(with).is_none() => {
                Err(RotationRefused::NoManager(with.clone()))
            }
            _ => Ok(inner),
        }
    }

    /// Returns the status of the open rotation of this profile's key.
    pub fn shown(&self, profile: &ProfileName) -> Option<RotationShown> {
        let inner = self.0.as_ref()?;
        let open = inner.open().get(profile).map(Arc::clone)?;
        open.shown()
    }

    /// Returns the names of the profile's former keys that the issuer refused to delete.
    pub fn left(&self, profile: &ProfileName) -> Vec<String> {
        let left = self.0.as_ref().map(|inner| inner.shared.left(profile));
        let left = left.unwrap_or_default().into_iter();
        left.map(|key| key.label).collect()
    }

    /// Resumes the rotations that an earlier process left open, and checks whether undeleted former keys are gone by
    /// now.
    pub fn resume_all(&self) {
        let Some(inner) = self.0.as_ref().map(Arc::clone) else {
            return;
        };
        tokio::spawn(async move { inner.resume_all().await });
    }
}

/// Checks whether keys of this profile can be rotated.
fn may_rotate(profile: &Profile) -> Result<(), RotationRefused> {
    if !matches!(profile.provider, Provider::Runai(_)) {
        return Err(RotationRefused::NotRunai);
    }
    if profile.store().is_none() {
        return Err(RotationRefused::ReadOnly);
    }
    Ok(())
}
