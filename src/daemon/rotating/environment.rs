//! The parts of the program that rotations use.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::super::keep::handle::Handle;
use tokio::sync::{oneshot, watch};

use super::super::keep::roster::Roster;
use crate::applications::{ApiFuture, KeyIssuer};
use crate::clock::Clock;
use crate::config::{Config, Profile};
use crate::credential::Ca;
use crate::offload::NotStarted;
use crate::profile::ProfileName;
use crate::store::{LeftKey, Machine, Rotations as Journals, Store, Stores};
use crate::token::AccessToken;

/// Makes the API for the keys of a profile's control plane, authorized by this token. If certificates are given, the
/// token goes only to a server that they vouch for. `None` if the profile's issuer has no such API.
pub type KeyApiOf =
    dyn Fn(&Profile, AccessToken, Option<Ca>) -> Option<Arc<dyn KeyIssuer>> + Send + Sync;

/// Makes a blocking call off the event loop. Resolves when the call has returned, or with the reason why it is not
/// made.
pub type Offload =
    dyn Fn(Box<dyn FnOnce() + Send>) -> ApiFuture<'static, Result<(), NotStarted>> + Send + Sync;

/// The parts of the program that rotations use.
pub struct Environment {
    /// The clock.
    pub clock: Arc<dyn Clock>,
    /// The profiles of the configuration in force, with their keepers.
    pub roster: Arc<Roster>,
    /// The stores.
    pub stores: Stores,
    /// The journals.
    pub journals: Journals,
    /// The user that runs this daemon.
    pub owner: u32,
    /// This machine.
    pub machine: Machine,
    /// Makes the API for a profile's keys.
    pub keys: Box<KeyApiOf>,
    /// Makes blocking calls, such as those to the stores, off the event loop.
    pub offload: Box<Offload>,
}

/// The data that all rotations share.
pub(super) struct Shared {
    pub(super) outside: Environment,
    /// The profiles of the configuration in force.
    profiles: Mutex<BTreeMap<ProfileName, Arc<Profile>>>,
    /// The keys that the issuer refused to delete, by profile.
    left: Mutex<BTreeMap<ProfileName, Vec<LeftKey>>>,
    reloads: watch::Sender<()>,
}

// === impl Shared ===

impl Shared {
    pub(super) fn new(outside: Environment) -> Self {
        Self {
            outside,
            profiles: Mutex::default(),
            left: Mutex::default(),
            reloads: watch::channel(()).0,
        }
    }

    pub(super) fn configure(&self, config: &Config) {
        let profiles = config.profiles.iter();
        let profiles = profiles.map(|(name, profile)| (name.clone(), Arc::new(profile.clone())));
        *self.lock() = profiles.collect();
        self.reloads.send_replace(());
    }

    /// Waits until another configuration is in force.
    pub(super) async fn reloaded(&self) {
        // `self` holds the sender, so the channel is never closed.
        let _: Result<(), _> = self.reloads.subscribe().changed().await;
    }

    /// Returns the profile of the configuration in force.
    pub(super) fn profile(&self, name: &ProfileName) -> Option<Arc<Profile>> {
        self.lock().get(name).map(Arc::clone)
    }

    /// Returns all profiles.
    pub(super) fn all_profiles(&self) -> BTreeMap<ProfileName, Arc<Profile>> {
        self.lock().clone()
    }

    /// Returns the profile's keys that the issuer refused to delete.
    pub(super) fn left(&self, name: &ProfileName) -> Vec<LeftKey> {
        // No code panics while it holds this lock, so the lock is never poisoned.
        let left = self.left.lock().unwrap_or_else(PoisonError::into_inner);
        left.get(name).cloned().unwrap_or_default()
    }

    /// Replaces the undeleted keys of all profiles.
    pub(super) fn replace_undeleted_keys(&self, all: BTreeMap<ProfileName, Vec<LeftKey>>) {
        *self.left.lock().unwrap_or_else(PoisonError::into_inner) = all;
    }

    /// Replaces the undeleted keys of one profile.
    pub(super) fn set_undeleted_keys(&self, name: &ProfileName, keys: Vec<LeftKey>) {
        let mut left = self.left.lock().unwrap_or_else(PoisonError::into_inner);
        left.insert(name.clone(), keys);
    }

    /// Returns the handle of the profile's keeper.
    pub(super) fn handle(&self, name: &ProfileName) -> Option<Arc<Handle>> {
        let all = self.outside.roster.all();
        all.get(name).map(|entry| Arc::clone(&entry.handle))
    }

    /// Returns the profile's store; `None` if the daemon only reads its credential.
    pub(super) fn store(&self, name: &ProfileName) -> Option<Arc<dyn Store>> {
        let profile = self.profile(name)?;
        Some(self.outside.stores.store(profile.store()?))
    }

    /// Runs this blocking call off the event loop.
    ///
    /// # Errors
    /// The reason why the call was not made, for people.
    pub(super) async fn blocking<T: Send + 'static>(
        &self,
        call: impl FnOnce() -> T + Send + 'static,
    ) -> Result<T, String> {
        let (sender, result) = oneshot::channel();
        let call = Box::new(move || {
            // The receiver may have been dropped.
            let _: Result<(), T> = sender.send(call());
        });
        let made = (self.outside.offload)(call).await;
        made.map_err(|refused| refused.to_string())?;
        result.await.map_err(|gone| gone.to_string())
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<ProfileName, Arc<Profile>>> {
        // No code panics while it holds this lock, so the lock is never poisoned.
        self.profiles.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
