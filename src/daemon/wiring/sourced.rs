//! The source of a profile's credential on this machine: its store, or a read-only source.

use std::sync::Arc;

use crate::certificates::CaFile;
use crate::config::{Profile, StoreKind};
use crate::offload::ConcurrencyLimit;
use crate::profile::ProfileName;
use crate::provider::configured::{self, ProviderFiles};
use crate::store::Stores;
use crate::store::source::{CredentialSource, Rotating, StoreSource};
use crate::store::sourced::{Locate, Locating, SourceParts, SourcedCredential};

/// Returns the source of a profile's credential.
pub(super) fn credential(
    stores: &Stores,
    owner: u32,
    name: &ProfileName,
    profile: &Profile,
    rotating: &Rotating,
) -> Arc<dyn CredentialSource> {
    let lane = ConcurrencyLimit::default();
    let Some(reader) = stores.source_of(profile) else {
        let store = profile.store().unwrap_or(&StoreKind::File);
        return Arc::new(StoreSource {
            name: name.clone(),
            profile: profile.clone(),
            owner,
            store: stores.reader(store),
            lane,
            rotating: Some(Arc::clone(rotating)),
        });
    };
    Arc::new(SourcedCredential::new(SourceParts {
        name: name.clone(),
        profile: profile.clone(),
        owner,
        reader,
        stores: stores.clone(),
        locate: Box::new(Issuer {
            profile: profile.clone(),
            owner,
        }),
        lane,
        unrecorded: None.into(),
        last_run: None.into(),
    }))
}

/// The issuer of a profile, which determines the token endpoint.
struct Issuer {
    profile: Profile,
    owner: u32,
}

impl Locate for Issuer {
    fn locate(&self, ca_file: Option<Arc<CaFile>>) -> Locating<'_> {
        Box::pin(async move {
            let files = ProviderFiles::with_ca(self.owner, ca_file);
            let located = configured::destination(&self.profile, &files).await;
            located.map(|located| located.endpoint)
        })
    }
}
