//! What is stored of our profiles: where each one's token may be sent, and which keys they use.

use super::super::output::{Exit, fail, tell};
use super::super::target::Target;
use crate::causes::Causes;
use crate::config::{Config, Profile};
use crate::profile::ProfileName;
use crate::provider::configured::Files;
use crate::store::source::binding_of;
use crate::store::{Binding, Differences, Stores};

/// What the profile's token may be sent to: what its credential is bound to. A configuration that names another address
/// now gets nothing.
pub(super) fn bound(
    target: &Target,
    stores: &Stores,
    name: &ProfileName,
    profile: &Profile,
) -> Result<(Files, Binding), Exit> {
    let refuse = |why: String| fail(Exit::Config, format!("nothing is sent: {why}"));
    let record = stores.reader_of(profile).load(name);
    let record = record.map_err(|error| refuse(Causes(&error).to_string()))?;
    let rebind = || target.line(&format!("add {name} --rebind"));
    let Some(record) = record else {
        let what = format!("no credential of {name} is stored; run: {}", rebind());
        return Err(refuse(what));
    };
    let owner = target.daemon;
    let now = target.as_daemon(|| binding_of(profile, &record.binding.bound, owner));
    let now = now.map_err(|error| refuse(Causes(&error).to_string()))?;
    let differences = record.binding.differences(&now);
    if !differences.is_empty() {
        return Err(refuse(format!(
            "{}; if that is right, run: {}",
            Differences(&differences),
            rebind()
        )));
    }
    let files = Files::with_ca(owner, now.ca_file);
    Ok((files, now.binding))
}

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
        match stores.reader_of(profile).load(name) {
            Ok(Some(record)) => holders.push((record.key.credential.client_id, name.clone())),
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
