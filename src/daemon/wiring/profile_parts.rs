//! The outside parts of a profile.

use std::sync::Arc;

use tracing::info;

use super::super::keep::api_queries::Api;
use super::control_plane::ControlPlanes;
use super::sourced;
use crate::config::Profile;
use crate::profile::ProfileName;
use crate::provider::{Provider, configured};
use crate::schedule::Jitter;
use crate::store::Stores;
use crate::store::source::{CredentialSource, Rotating};

/// The outside parts of a profile: the source of its credential, its issuer, and its source of jitter.
pub struct ProfileParts {
    /// Source of the credential.
    pub source: Arc<dyn CredentialSource>,
    /// The issuer.
    pub provider: Arc<dyn Provider>,
    /// The API of the issuer, if the issuer has an API that we support.
    pub api: Option<Arc<dyn Api>>,
    /// Source of jitter: returns a new random number at each call.
    pub jitter: fn() -> Jitter,
}

/// Creates the outside parts of a profile on this machine.
pub(super) fn on_this_machine(
    stores: &Stores,
    planes: &ControlPlanes,
    uid: u32,
    name: &ProfileName,
    profile: &Profile,
    rotating: &Rotating,
) -> ProfileParts {
    let provider = configured::provider(profile, &configured::ProviderFiles::of(uid));
    let provider = planes.threads.moved(&profile.site(), provider);
    info!(profile = %name, provider = profile.provider.as_str(), url = %profile.url(), "profile is kept");
    ProfileParts {
        source: sourced::credential(stores, uid, name, profile, rotating),
        provider,
        api: planes.of(profile),
        jitter: || Jitter::new(fastrand::f64()),
    }
}
