//! What rotations need from this machine.

use std::path::Path;
use std::sync::Arc;

use super::super::keep::roster::Roster;
use super::super::rotating::Environment;
use super::control_plane::ControlPlanes;
use crate::applications::{
    ApiError, ApiFuture, Applications, CreatedKey, Family, KeyIssuer, KeyName, Kind, Listed,
    RegeneratedKey, Reply, Roles,
};
use crate::clock::Clock;
use crate::config::Profile;
use crate::credential::Ca;
use crate::offload::{self, LoopEnded};
use crate::provider::configured::ProviderFiles;
use crate::provider::threads::{IssuerThread, IssuerThreads};
use crate::store::{Machine, Rotations, Stores};
use crate::token::AccessToken;

/// The API of a control plane, with its calls on the issuer's thread.
struct ThreadedApi {
    api: Arc<Applications>,
    thread: IssuerThread,
}

/// Returns what rotations need from this machine, for credentials below this state folder.
pub(super) fn outside(
    state: &Path,
    owner: u32,
    stores: &Stores,
    planes: &ControlPlanes,
    clock: &Arc<dyn Clock>,
    roster: &Arc<Roster>,
) -> Environment {
    let threads = Arc::clone(&planes.threads);
    Environment {
        clock: Arc::clone(clock),
        roster: Arc::clone(roster),
        stores: stores.clone(),
        journals: Rotations::new(state, owner),
        owner,
        machine: Machine::this(),
        keys: Box::new(move |profile, token, ca| keys(&threads, owner, profile, token, ca)),
        offload: Box::new(|call| Box::pin(offload::run(call))),
    }
}

fn keys(
    threads: &IssuerThreads,
    owner: u32,
    profile: &Profile,
    token: AccessToken,
    ca: Option<Ca>,
) -> Option<Arc<dyn KeyIssuer>> {
    let api = Arc::new(Applications::new(
        profile,
        &ProviderFiles::of(owner),
        ca,
        token,
    )?);
    let thread = threads.thread_of(&profile.site());
    Some(Arc::new(ThreadedApi { api, thread }))
}

// === impl Aside ===

impl ThreadedApi {
    /// Runs this call on the issuer's thread. A call that was lost may have been executed.
    async fn run<T: Send + 'static>(
        &self,
        call: impl FnOnce(Arc<Applications>) -> ApiFuture<'static, T>,
        lost: impl FnOnce(ApiError) -> T,
    ) -> T {
        let done = self.thread.run(call(Arc::clone(&self.api))).await;
        done.unwrap_or_else(|LoopEnded| lost(ApiError::lost()))
    }
}

impl KeyIssuer for ThreadedApi {
    fn list(&self, kind: Kind) -> ApiFuture<'_, Result<Listed, ApiError>> {
        let call = move |api: Arc<Applications>| -> ApiFuture<'static, _> {
            Box::pin(async move { KeyIssuer::list(&*api, kind).await })
        };
        Box::pin(self.run(call, Err))
    }

    fn create<'a>(&'a self, family: Family, name: &'a KeyName) -> ApiFuture<'a, Reply<CreatedKey>> {
        let name = name.clone();
        let call = move |api: Arc<Applications>| -> ApiFuture<'static, _> {
            Box::pin(async move { KeyIssuer::create(&*api, family, &name).await })
        };
        Box::pin(self.run(call, Reply::Lost))
    }

    fn regenerate<'a>(
        &'a self,
        family: Family,
        id: &'a str,
    ) -> ApiFuture<'a, Reply<RegeneratedKey>> {
        let id = id.to_owned();
        let call = move |api: Arc<Applications>| -> ApiFuture<'static, _> {
            Box::pin(async move { KeyIssuer::regenerate(&*api, family, &id).await })
        };
        Box::pin(self.run(call, Reply::Lost))
    }

    fn delete<'a>(&'a self, family: Family, id: &'a str) -> ApiFuture<'a, Reply<()>> {
        let id = id.to_owned();
        let call = move |api: Arc<Applications>| -> ApiFuture<'static, _> {
            Box::pin(async move { KeyIssuer::delete(&*api, family, &id).await })
        };
        Box::pin(self.run(call, Reply::Lost))
    }

    fn roles(&self) -> ApiFuture<'_, Option<Roles>> {
        let call = move |api: Arc<Applications>| -> ApiFuture<'static, _> {
            Box::pin(async move { KeyIssuer::roles(&*api).await })
        };
        Box::pin(self.run(call, |_| None))
    }
}
