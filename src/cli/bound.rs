//! Where what is stored of a profile may be sent.

use super::output::{Exit, fail};
use super::target::Target;
use crate::causes::Causes;
use crate::config::Profile;
use crate::profile::ProfileName;
use crate::provider::configured::Files;
use crate::store::source::binding_of;
use crate::store::{Binding, Differences, Stores};

/// What the profile's token and secret may be sent to: what its credential is bound to. A configuration that names another
/// address now gets nothing.
pub(super) fn bound(
    target: &Target,
    stores: &Stores,
    name: &ProfileName,
    profile: &Profile,
) -> Result<(Files, Binding), Exit> {
    let record = stores.reader_of(profile).load(name);
    let record = record.map_err(|error| refuse(Causes(&error)))?;
    let Some(record) = record else {
        let rebind = target.line(&format!("add {name} --rebind"));
        return Err(refuse(format!(
            "no credential of {name} is stored; run: {rebind}"
        )));
    };
    bound_as(target, name, profile, &record.binding)
}

/// The same for a credential that is bound so.
pub(super) fn bound_as(
    target: &Target,
    name: &ProfileName,
    profile: &Profile,
    binding: &Binding,
) -> Result<(Files, Binding), Exit> {
    let owner = target.daemon;
    let now = target.as_daemon(|| binding_of(profile, &binding.bound, owner));
    let now = now.map_err(|error| refuse(Causes(&error)))?;
    let differences = binding.differences(&now);
    if !differences.is_empty() {
        return Err(refuse(format!(
            "{}; if that is right, run: {}",
            Differences(&differences),
            target.line(&format!("add {name} --rebind"))
        )));
    }
    let files = Files::with_ca(owner, now.ca_file);
    Ok((files, now.binding))
}

fn refuse(why: impl std::fmt::Display) -> Exit {
    fail(Exit::Config, format!("nothing is sent: {why}"))
}
