//! What rotations need of the rest of the program.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::super::keep::handle::Handle;
use tokio::sync::oneshot;

use super::super::keep::roster::Roster;
use crate::applications::{Calling, KeyIssuer};
use crate::clock::Clock;
use crate::config::{Config, Profile};
use crate::credential::Ca;
use crate::offload::Refused;
use crate::profile::ProfileName;
use crate::store::{Machine, Rotations as Journals, Store, Stores};
use crate::token::AccessToken;

/// The keys of a profile's control plane, managed with this token, which goes to no server that others vouch for than
/// the certificates. `None` if the profile's issuer has no such API.
pub type KeysOf =
    dyn Fn(&Profile, AccessToken, Option<Ca>) -> Option<Arc<dyn KeyIssuer>> + Send + Sync;

/// Makes a blocking call off the event loop, and says when it has returned or why it is not made.
pub type Offload =
    dyn Fn(Box<dyn FnOnce() + Send>) -> Calling<'static, Result<(), Refused>> + Send + Sync;

/// What rotations need of the rest of the program.
pub struct Outside {
    /// The clock.
    pub clock: Arc<dyn Clock>,
    /// The profiles that are kept.
    pub roster: Arc<Roster>,
    /// The stores.
    pub stores: Stores,
    /// The journals.
    pub journals: Journals,
    /// The user whose daemon this is.
    pub owner: u32,
    /// This machine.
    pub machine: Machine,
    /// The keys of control planes.
    pub keys: Box<KeysOf>,
    /// Where the calls are made that block, such as those to the stores.
    pub offload: Box<Offload>,
}

/// What all rotations share.
pub(super) struct Shared {
    pub(super) outside: Outside,
    /// The profiles of the configuration in force.
    profiles: Mutex<BTreeMap<ProfileName, Arc<Profile>>>,
    /// The keys that the issuer did not let rotations delete.
    left: Mutex<BTreeMap<ProfileName, Vec<String>>>,
}

// === impl Shared ===

impl Shared {
    pub(super) fn new(outside: Outside) -> Self {
        Self {
            outside,
            profiles: Mutex::default(),
            left: Mutex::default(),
        }
    }

    pub(super) fn configure(&self, config: &Config) {
        let profiles = config.profiles.iter();
        let profiles = profiles.map(|(name, profile)| (name.clone(), Arc::new(profile.clone())));
        *self.lock() = profiles.collect();
    }

    /// The profile as the configuration in force has it.
    pub(super) fn profile(&self, name: &ProfileName) -> Option<Arc<Profile>> {
        self.lock().get(name).map(Arc::clone)
    }

    /// All profiles.
    pub(super) fn all_profiles(&self) -> BTreeMap<ProfileName, Arc<Profile>> {
        self.lock().clone()
    }

    /// The names of the profile's keys that the issuer did not let rotations delete.
    pub(super) fn left(&self, name: &ProfileName) -> Vec<String> {
        // Nothing panics while it is locked.
        let left = self.left.lock().unwrap_or_else(PoisonError::into_inner);
        left.get(name).cloned().unwrap_or_default()
    }

    /// Takes down which they are, of all profiles.
    pub(super) fn replace_left(&self, all: BTreeMap<ProfileName, Vec<String>>) {
        *self.left.lock().unwrap_or_else(PoisonError::into_inner) = all;
    }

    /// Takes down which they are.
    pub(super) fn note_left(&self, name: &ProfileName, keys: Vec<String>) {
        let mut left = self.left.lock().unwrap_or_else(PoisonError::into_inner);
        left.insert(name.clone(), keys);
    }

    /// The profile as it is kept now.
    pub(super) fn handle(&self, name: &ProfileName) -> Option<Arc<Handle>> {
        let all = self.outside.roster.all();
        all.get(name).map(|entry| Arc::clone(&entry.handle))
    }

    /// The profile's store; `None` if its credential is only read.
    pub(super) fn store(&self, name: &ProfileName) -> Option<Arc<dyn Store>> {
        let profile = self.profile(name)?;
        Some(self.outside.stores.store(profile.store()?))
    }

    /// Makes this call off the event loop.
    ///
    /// # Errors
    /// Why it was not made, for people.
    pub(super) async fn blocking<T: Send + 'static>(
        &self,
        call: impl FnOnce() -> T + Send + 'static,
    ) -> Result<T, String> {
        let (sender, result) = oneshot::channel();
        let call = Box::new(move || {
            // Nobody may wait for it any more.
            let _: Result<(), T> = sender.send(call());
        });
        let made = (self.outside.offload)(call).await;
        made.map_err(|refused| refused.to_string())?;
        result.await.map_err(|gone| gone.to_string())
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<ProfileName, Arc<Profile>>> {
        // Nothing panics while it is locked.
        self.profiles.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
