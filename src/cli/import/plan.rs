//! The plan for writing one imported profile.

use std::sync::Arc;

use super::super::issuer;
use super::super::output::{Exit, fail};
use super::super::store_choice::StoreChoice;
use super::super::target::Target;
use crate::causes::Causes;
use crate::certificates::CaFile;
use crate::config::{CredentialLocation, Profile, StoreKind};
use crate::paths::Env;
use crate::profile::ProfileName;
use crate::provider::configured::{self, ProviderFiles};
use crate::store::{BoundTarget, Key, Record, Required, StoreReading, Stores};
use crate::transfer::ExportedProfile;

/// The consequence of a refused import.
pub(super) const NOTHING: &str = "nothing is imported";

/// The surroundings of an import: the target and its stores.
pub(super) struct ImportContext<'a> {
    pub(super) target: &'a Target,
    pub(super) stores: &'a Stores,
    pub(super) env: &'a Env,
    /// The store that was asked for.
    pub(super) store: Option<&'a StoreKind>,
}

/// A profile that is to be written.
pub(super) struct Plan {
    pub(super) name: ProfileName,
    pub(super) profile: Profile,
    pub(super) place: StoreChoice,
    /// The certificates to trust, which go into a file of their own.
    pub(super) ca: Option<Ca>,
    pub(super) record: Record,
    pub(super) seen: StoreReading,
}

/// The certificates to trust.
pub(super) struct Ca {
    pub(super) text: String,
    pub(super) file: Arc<CaFile>,
}

impl Plan {
    /// Plans the writing of a profile. If the configuration does not name the token endpoint, this asks the issuer for
    /// it.
    pub(super) fn make(
        outside: &ImportContext<'_>,
        name: ProfileName,
        exported: ExportedProfile,
    ) -> Result<Self, Exit> {
        let refuse = |why: String| fail(Exit::Config, format!("{NOTHING}: {name}: {why}"));
        let target = outside.target;
        let place =
            StoreChoice::choose(outside.store.cloned(), target.system, outside.stores, &name);
        let place = place.map_err(|why| refuse(why.named("--store")))?;
        let ca = exported
            .ca
            .map(|text| ca(target, &name, &text))
            .transpose()?;
        let profile = Profile {
            provider: exported.provider,
            credential: CredentialLocation::Store(place.kind().clone()),
            ca_file: ca.as_ref().map(|ca| ca.file.path.clone()),
            proxy: exported.proxy,
            client_certificate: None,
            keep_warm: false,
            reissue: Default::default(),
            lifetime: None,
            rotation: Default::default(),
        };
        let ca_file = ca.as_ref().map(|ca| Arc::clone(&ca.file));
        let bound = BoundTarget::of(&profile, exported.endpoint);
        if profile.endpoint().is_none() {
            let files = ProviderFiles::with_ca(target.daemon, ca_file.clone());
            let question = configured::destination(&profile, &files);
            let located = issuer::ask(&profile, outside.env, NOTHING, question)?;
            let now = BoundTarget::of(&profile, located.endpoint);
            if now != bound {
                return Err(refuse(format!(
                    "the issuer names {now} as its token endpoint, and the credential is for {bound}; to enrol it for that, run jetond add"
                )));
            }
        }
        let Required { binding, .. } = Required::of(&profile, &bound, ca_file);
        let key = Key {
            credential: exported
                .key
                .credential
                .bound_to(binding.bound.as_str())
                .trusting(binding.ca.clone()),
            ..exported.key
        };
        let seen = outside.stores.reader(place.kind()).look(&name);
        Ok(Self {
            place,
            ca,
            profile,
            seen,
            record: Record {
                key,
                binding,
                rotation: None,
            },
            name,
        })
    }
}

/// Plans the file of the certificates, beside the configuration.
fn ca(target: &Target, name: &ProfileName, text: &str) -> Result<Ca, Exit> {
    let config = std::path::absolute(&target.config);
    let config = config.map_err(|error| fail(Exit::Config, error))?;
    let path = config.with_file_name(format!("{name}-ca.pem"));
    let file = CaFile::of_text(&path, text);
    let file = file.map_err(|error| fail(Exit::Config, Causes(&error)))?;
    let text = file.to_pem();
    let file = CaFile::of_text(&path, &text);
    let file = file.map_err(|error| fail(Exit::Config, Causes(&error)))?;
    Ok(Ca {
        text,
        file: Arc::new(file),
    })
}
