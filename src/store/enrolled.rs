//! The parts of a profile's credential that are known without its secret.

use super::{Binding, BoundTarget, Difference, Record, Required, StoreError, Stores};
use crate::certificates::CaFileError;
use crate::config::Profile;
use crate::profile::ProfileName;
use crate::store::source::binding_of;

/// A profile's credential, without its secret.
#[derive(Debug)]
pub struct EnrolledCredential {
    /// The client ID.
    pub client_id: String,
    /// The client ID of the other key of the record, while its key is being rotated.
    pub other_client_id: Option<String>,
    /// The binding; `None` for a source that was not used yet, which only the configuration binds.
    pub binding: Option<Binding>,
}

impl Stores {
    /// Reads a profile's credential from its store or source, without the secret; `None` if nothing is stored. Runs no
    /// command. Blocks.
    ///
    /// # Errors
    /// [`StoreError`] if the credential cannot be read or trusted.
    pub fn enrolled(
        &self,
        name: &ProfileName,
        profile: &Profile,
    ) -> Result<Option<EnrolledCredential>, StoreError> {
        if let Some(source) = self.source_of(profile) {
            let recorded = self.bindings().recorded(name)?;
            return Ok(Some(EnrolledCredential {
                client_id: source.client_id()?,
                other_client_id: None,
                binding: recorded.map(|recorded| recorded.binding),
            }));
        }
        let Some(store) = profile.store() else {
            return Ok(None);
        };
        let record = self.reader(store).load(name)?;
        let other = |record: &Record| Some(record.other_key()?.credential.client_id.clone());
        Ok(record.map(|record| EnrolledCredential {
            other_client_id: other(&record),
            client_id: record.key.credential.client_id,
            binding: Some(record.binding),
        }))
    }
}

// === impl Enrolled ===

impl EnrolledCredential {
    /// Compares the binding with the configuration's. `owner` is the only user besides root who may change the CA file.
    /// Blocks.
    ///
    /// # Errors
    /// [`CaFileError`] if the CA file cannot be used.
    pub fn compare(
        &self,
        profile: &Profile,
        owner: u32,
    ) -> Result<(Required, Vec<Difference>), CaFileError> {
        let now = binding_of(profile, &self.bound(profile), owner)?;
        let binding = self.binding.as_ref();
        let differences = binding.map_or_else(Vec::new, |binding| binding.differences(&now));
        Ok((now, differences))
    }

    /// The address that the credential is bound to, as far as it is known.
    pub fn bound(&self, profile: &Profile) -> BoundTarget {
        match &self.binding {
            Some(binding) => binding.bound.clone(),
            None => match profile.endpoint() {
                Some(endpoint) => BoundTarget::of(profile, endpoint),
                None => BoundTarget::Origin(profile.site()),
            },
        }
    }
}
