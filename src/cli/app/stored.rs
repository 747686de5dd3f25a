//! The keys that our profiles use, according to their stores.

use super::super::output::print_note;
use crate::causes::Causes;
use crate::config::{Config, Profile};
use crate::profile::ProfileName;
use crate::store::Stores;

/// The client IDs that our profiles use at one control plane.
#[derive(Default)]
pub(super) struct StoredClientIds {
    /// The client IDs, each with its profile.
    pub(super) in_use: Vec<(String, ProfileName)>,
    /// The client IDs of the other keys of the profiles whose key is being rotated.
    pub(super) rotating: Vec<(String, ProfileName)>,
    /// The profiles that cannot be read.
    pub(super) unread: Vec<ProfileName>,
}

/// Reads the client IDs that our profiles use at the control plane of `at`.
pub(super) fn holders(stores: &Stores, config: &Config, at: &Profile) -> StoredClientIds {
    let mut holders = StoredClientIds::default();
    for (name, profile) in &config.profiles {
        if profile.provider.origin() != at.provider.origin() {
            continue;
        }
        match stores.enrolled(name, profile) {
            Ok(Some(enrolled)) => {
                holders.in_use.push((enrolled.client_id, name.clone()));
                let other = enrolled.other_client_id;
                holders.rotating.extend(other.map(|id| (id, name.clone())));
            }
            Ok(None) => {}
            Err(error) => {
                print_note(format!(
                    "warning: cannot tell whether {name} uses a key: {}",
                    Causes(&error)
                ));
                holders.unread.push(name.clone());
            }
        }
    }
    holders
}
