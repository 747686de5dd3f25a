//! Finds the rotations that an earlier process left open.

use std::sync::Arc;

use tracing::warn;

use super::driver::AGAIN;
use super::environment::Shared;
use crate::causes::Causes;
use crate::config::StoreKind;
use crate::profile::ProfileName;
use crate::store::StoreError;

impl Shared {
    /// Lists the profiles with an open rotation. Retries until the system allows it.
    pub(super) async fn left_open(self: &Arc<Self>) -> Vec<ProfileName> {
        let mut is_told = false;
        loop {
            let shared = Arc::clone(self);
            let found = self.blocking(move || shared.look_for_open()).await;
            let why = match found {
                Ok(Ok(found)) => return found,
                Ok(Err(error)) => Causes(&error).to_string(),
                Err(why) => why,
            };
            if !is_told {
                warn!(why, "the journals of rotations cannot be listed");
            }
            is_told = true;
            let clock = &self.outside.clock;
            clock.sleep_until(clock.now().boot.after(AGAIN)).await;
        }
    }

    /// Lists the profiles with the journal of a rotation, and those with a second slot in a file. Blocks.
    fn look_for_open(&self) -> Result<Vec<ProfileName>, StoreError> {
        let mut found = self.outside.journals.profiles()?;
        found.retain(|name| self.profile(name).is_some());
        let store = self.outside.stores.store(&StoreKind::File);
        for (name, profile) in self.all_profiles() {
            let is_file = profile.store() == Some(&StoreKind::File);
            if is_file && !found.contains(&name) && matches!(store.kept(&name), Ok(Some(_))) {
                found.push(name);
            }
        }
        Ok(found)
    }
}
