//! Locks and unlocks the store of encrypted files for all profiles whose credential is in it.

use std::sync::Arc;

use super::super::keep::handle::Handle;
use super::super::keep::rechecks::recheck_all;
use super::Wiring;
use crate::age_file::Identity;
use crate::config::{Profile, StoreKind};
use crate::problem::{Code, Problem};
use crate::store::Mismatch;

const NO_RECIPIENT: &str = "the daemon's configuration has no [encrypted-file] recipient, so there is nothing to unlock; 'jetond encrypt-store' makes one, and 'jeton reload' has it read";
const ANOTHER_RECIPIENT: &str = "the identity is not that of the [encrypted-file] recipient in the daemon's configuration, so it opens no record; if the configuration is newer than the daemon, run 'jeton reload' first";

impl Wiring {
    /// Opens records with this identity from now on. Returns the profiles whose records may be readable now.
    ///
    /// # Errors `conflict` if it is not the identity of the current configuration.
    pub fn unlock(&self, identity: Identity) -> Result<Vec<Arc<Handle>>, Problem> {
        let unlocked = self.keys.unlock(identity);
        unlocked.map_err(|mismatch| {
            Problem::new(Code::Conflict).with_detail(match mismatch {
                Mismatch::NoRecipient => NO_RECIPIENT,
                Mismatch::AnotherRecipient => ANOTHER_RECIPIENT,
            })
        })?;
        // Run the commands of credential sources again: they may need something that the user has unlocked as well,
        // such as an agent.
        tokio::spawn(recheck_all(self.kept(Profile::has_command)));
        Ok(self.kept(is_encrypted))
    }

    /// Drops the identity and everything that it has opened. Returns the profiles that are locked.
    pub async fn lock(&self) -> Vec<Arc<Handle>> {
        self.keys.lock();
        let locked = self.kept(is_encrypted);
        for handle in &locked {
            handle.lock().await;
        }
        locked
    }

    /// Returns the current profiles that meet this condition.
    fn kept(&self, are_such: fn(&Profile) -> bool) -> Vec<Arc<Handle>> {
        let kept = self.roster.all();
        let all = self.config.profiles.iter();
        let such = all.filter(|(_, profile)| are_such(profile));
        let handles = such.filter_map(|(name, _)| kept.get(name));
        handles.map(|entry| Arc::clone(&entry.handle)).collect()
    }
}

/// Whether the profile's record is encrypted.
fn is_encrypted(profile: &Profile) -> bool {
    profile.store() == Some(&StoreKind::EncryptedFile)
}
