//! The names of former keys that a server did not let rotations delete: `STATE/rotations/PROFILE.left`.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::Rotations;
use crate::profile::ProfileName;
use crate::store::{ProfileLock, StoreError, StoreErrorKind};

/// The file version that this program writes and reads.
const VERSION: u64 = 1;

#[derive(Serialize, Deserialize)]
struct Form {
    version: u64,
    /// The keys' names; for a key without a name, its client ID.
    keys: Vec<String>,
    /// The client IDs of those keys of which it is known, by the names in `keys`.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    client_ids: BTreeMap<String, String>,
}

/// A former key that its server did not let a rotation delete.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LeftKey {
    /// Its name; its client ID if the name is unknown.
    pub label: String,
    /// Its client ID, if it is known.
    pub client_id: Option<String>,
}

// === impl Form ===

impl Form {
    fn into_keys(mut self) -> Vec<LeftKey> {
        let keys = self.keys.into_iter().map(|label| LeftKey {
            client_id: self.client_ids.remove(&label),
            label,
        });
        keys.collect()
    }
}

// === impl Rotations ===

impl Rotations {
    /// The profile's former keys that its server did not let a rotation delete.
    ///
    /// # Errors
    /// [`StoreError`] if the file cannot be read, trusted or understood.
    pub fn left(&self, profile: &ProfileName) -> Result<Vec<LeftKey>, StoreError> {
        let Some(json) = self.left.read(profile)? else {
            return Ok(vec![]);
        };
        let form = serde_json::from_slice(&json).ok();
        let form = form.filter(|form: &Form| form.version == VERSION);
        form.map(Form::into_keys).ok_or_else(|| {
            let what = "it does not say which keys are left at the server";
            StoreError::new(
                &self.left.path(profile),
                StoreErrorKind::NotUnderstood(what),
            )
        })
    }

    /// The profiles with such keys.
    ///
    /// # Errors
    /// [`StoreError`] if the folder cannot be trusted or read.
    pub fn with_left(&self) -> Result<Vec<ProfileName>, StoreError> {
        let files = self.left.names()?.into_iter();
        Ok(files.filter_map(|(_, name)| name).collect())
    }

    /// Records the keys that are left; an empty list removes the file.
    ///
    /// # Errors
    /// [`StoreError`] if the file cannot be written or removed.
    pub fn set_left(&self, lock: &ProfileLock, keys: &[LeftKey]) -> Result<(), StoreError> {
        if keys.is_empty() {
            return self.left.remove(lock).map(drop);
        }
        let form = Form {
            version: VERSION,
            keys: keys.iter().map(|key| key.label.clone()).collect(),
            client_ids: keys
                .iter()
                .filter_map(|key| Some((key.label.clone(), key.client_id.clone()?)))
                .collect(),
        };
        let json = serde_json::to_vec_pretty(&form).map_err(|_| {
            let kind = std::io::ErrorKind::InvalidData;
            let action = "record which keys are left";
            StoreError::io(&self.left.path(lock.profile()), action, kind.into())
        })?;
        self.left.write(lock, &json)
    }
}
