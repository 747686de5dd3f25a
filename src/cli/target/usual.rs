//! The usual target of the user's daemon, to compare with a named one.

use std::path::{Path, PathBuf};

use super::systems::TargetUse;
use super::{Target, TargetArgs};
use crate::config::{Config, StoreKind};
use crate::paths::Env;
use crate::profile::ProfileName;
use crate::settings;

impl Target {
    /// Finds the usual target, if it is known.
    fn usual(env: &Env) -> Option<Self> {
        let exists = |path: &Path| path.symlink_metadata().is_ok();
        env.state_dir(None).ok()?;
        TargetArgs::default()
            .look_for(env, TargetUse::Look, exists)
            .ok()
    }

    /// The configuration that the user's daemon reads, if it is another one with this state folder.
    pub(in super::super) fn usual_config_of_state(&self, env: &Env) -> Option<Config> {
        let Self {
            config: usual,
            state,
            ..
        } = Self::usual(env)?;
        let is_other = settings::real_path(&usual) != settings::real_path(&self.config);
        let is_there = settings::real_path(&state) == settings::real_path(&self.state);
        let found = || settings::read(&usual, self.uid).ok();
        (is_other && is_there)
            .then(found)?
            .map(|found| found.config)
    }

    /// The configuration that the user's daemon reads, if it is another one with a profile of this name and the same
    /// store: a store distinguishes profiles only by their names.
    pub(in super::super) fn shares_credential(
        &self,
        env: &Env,
        name: &ProfileName,
        store: &StoreKind,
    ) -> Option<PathBuf> {
        let Self {
            config: usual,
            state,
            ..
        } = Self::usual(env)?;
        let is_other = settings::real_path(&usual) != settings::real_path(&self.config);
        let stores = self.stores();
        let is_there = if stores.store(store).about().in_state {
            settings::real_path(&state) == settings::real_path(&self.state)
        } else {
            !self.system
        };
        if !is_other || !is_there {
            return None;
        }
        let theirs = settings::read(&usual, self.uid).ok()?.config;
        let is_theirs = theirs.profiles.get(name)?.store() == Some(store);
        let has_one = || !matches!(stores.reader(store).load(name), Ok(None));
        (is_theirs && has_one()).then_some(usual)
    }
}
