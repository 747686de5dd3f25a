//! Which keys our profiles use, as their stores say.

use super::super::output::tell;
use crate::causes::Causes;
use crate::config::{Config, Profile};
use crate::profile::ProfileName;
use crate::store::Stores;

/// The client IDs of our profiles at the control plane of this one, and the profiles that cannot be read.
pub(super) fn holders(
    stores: &Stores,
    config: &Config,
    at: &Profile,
) -> (Vec<(String, ProfileName)>, Vec<ProfileName>) {
    let (mut holders, mut unread) = (vec![], vec![]);
    for (name, profile) in &config.profiles {
        if profile.provider.origin() != at.provider.origin() {
            continue;
        }
        match stores.enrolled(name, profile) {
            Ok(Some(enrolled)) => holders.push((enrolled.client_id, name.clone())),
            Ok(None) => {}
            Err(error) => {
                tell(format!(
                    "warning: whether {name} uses a key cannot be told: {}",
                    Causes(&error)
                ));
                unread.push(name.clone());
            }
        }
    }
    (holders, unread)
}
