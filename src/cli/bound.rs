//! The address that a profile's token and secret may be sent to.

use super::output::{Exit, fail};
use super::target::Target;
use crate::causes::Causes;
use crate::config::Profile;
use crate::profile::ProfileName;
use crate::provider::configured::ProviderFiles;
use crate::store::{Binding, Differences, EnrolledCredential, Stores};

/// The address that the profile's token and secret may be sent to, from the binding of its credential. A configuration
/// that names another address now gets nothing.
pub(super) fn bound(
    target: &Target,
    stores: &Stores,
    name: &ProfileName,
    profile: &Profile,
) -> Result<(ProviderFiles, Binding), Exit> {
    let enrolled = stores.enrolled(name, profile);
    let enrolled = enrolled.map_err(|error| refuse(Causes(&error)))?;
    let Some(enrolled) = enrolled else {
        let rebind = target.line(&format!("add {name} --rebind"));
        return Err(refuse(format!(
            "no credential of {name} is stored; run: {rebind}"
        )));
    };
    compared(target, name, profile, &enrolled)
}

/// The same for this binding of the credential.
pub(super) fn bound_as(
    target: &Target,
    name: &ProfileName,
    profile: &Profile,
    binding: &Binding,
) -> Result<(ProviderFiles, Binding), Exit> {
    let enrolled = EnrolledCredential {
        client_id: String::new(),
        other_client_id: None,
        binding: Some(binding.clone()),
    };
    compared(target, name, profile, &enrolled)
}

fn compared(
    target: &Target,
    name: &ProfileName,
    profile: &Profile,
    enrolled: &EnrolledCredential,
) -> Result<(ProviderFiles, Binding), Exit> {
    let owner = target.daemon;
    let compared = target.as_daemon(|| enrolled.compare(profile, owner));
    let (now, differences) = compared.map_err(|error| refuse(Causes(&error)))?;
    if !differences.is_empty() {
        return Err(refuse(format!(
            "{}; if that is right, run: {}",
            Differences(&differences),
            target.line(&format!("add {name} --rebind"))
        )));
    }
    let files = ProviderFiles::with_ca(owner, now.ca_file);
    Ok((files, now.binding))
}

fn refuse(why: impl std::fmt::Display) -> Exit {
    fail(Exit::Config, format!("nothing is sent: {why}"))
}
