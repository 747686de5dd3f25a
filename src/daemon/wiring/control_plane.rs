//! The API of a Run:ai control plane, as the profiles of this machine use it.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::Semaphore;

use super::super::keep::api_queries::{Api, ApiAnswer, ApiCall, ApiFailure, ApiQuestion};
use crate::applications::{ApiError, ApiErrorKind, Applications, BearerFacts, Identity};
use crate::config::Profile;
use crate::credential::Enrolment;
use crate::instant::UnixTime;
use crate::offload::LoopEnded;
use crate::problem::{Code, Problem};
use crate::provider::claims;
use crate::provider::configured::ProviderFiles;
use crate::provider::threads::{IssuerThread, IssuerThreads};
use crate::token::AccessToken;

/// Number of queries of all profiles that run at once. Each needs a connection.
const AT_ONCE: usize = 16;

/// What the queries of all profiles share.
pub(super) struct ControlPlanes {
    /// The threads that talk to issuers.
    pub(super) threads: Arc<IssuerThreads>,
    owner: u32,
    places: Arc<Semaphore>,
}

/// The API of a profile's control plane.
struct ControlPlane {
    profile: Profile,
    site: String,
    owner: u32,
    thread: IssuerThread,
    places: Arc<Semaphore>,
}

// === impl ControlPlanes ===

impl ControlPlanes {
    /// Creates the shared state for the daemon of this user.
    pub(super) fn new(owner: u32) -> Self {
        Self {
            threads: Arc::default(),
            owner,
            places: Arc::new(Semaphore::new(AT_ONCE)),
        }
    }

    /// Returns the API of this profile's issuer. Its calls run on the issuer's thread.
    pub(super) fn of(&self, profile: &Profile) -> Option<Arc<dyn Api>> {
        let site = profile.site();
        Some(Arc::new(ControlPlane {
            profile: profile.clone(),
            owner: self.owner,
            thread: self.threads.thread_of(&site),
            places: Arc::clone(&self.places),
            site,
        }))
    }
}

// === impl ControlPlane ===

impl Api for ControlPlane {
    fn site(&self) -> &str {
        &self.site
    }

    fn look_up(&self, what: ApiQuestion, token: AccessToken, enrolment: Arc<Enrolment>) -> ApiCall {
        let files = ProviderFiles::of(self.owner);
        let bearer = BearerFacts {
            client_id: enrolment.client_id.clone(),
            stored_at: enrolment.enrolled_at.map(UnixTime::seconds_down),
            claims: claims(&token),
        };
        // The token must not go to a server whose certificate authorities differ from those at the enrolment.
        let api = Applications::new(&self.profile, &files, enrolment.ca.clone(), token);
        let (thread, places) = (self.thread.clone(), Arc::clone(&self.places));
        Box::pin(async move {
            // The semaphore is never closed.
            let _place = places.acquire().await.ok();
            let Some(api) = api else {
                return match what {
                    ApiQuestion::Identity => {
                        Ok(ApiAnswer::Identity(Arc::new(Identity::of_token(bearer))))
                    }
                    ApiQuestion::Keys { .. } => Err(of_another_provider()),
                };
            };
            let looking = async move { look_up(&api, what, bearer).await };
            thread
                .run(looking)
                .await
                .unwrap_or_else(|LoopEnded| Err(without_answer()))
        })
    }
}

async fn look_up(
    api: &Applications,
    what: ApiQuestion,
    bearer: BearerFacts,
) -> Result<ApiAnswer, ApiFailure> {
    match what {
        ApiQuestion::Keys { kind, all, with } => {
            let listed = match with {
                None => api.list(kind, all).await,
                Some(key) => api.list_with(kind, all, &key).await,
            };
            match listed {
                Ok(listed) => Ok(ApiAnswer::Keys(Arc::new(listed))),
                Err(trouble) => Err(no_facts(&trouble, "no list")),
            }
        }
        ApiQuestion::Identity => match api.identity(bearer).await {
            Ok(identity) => Ok(ApiAnswer::Identity(Arc::new(identity))),
            Err(trouble) => Err(no_facts(&trouble, "cannot tell whose token it is")),
        },
    }
}

/// Converts trouble with the API to a problem whose detail is `so`. Text from the API is quoted and escaped.
fn no_facts(trouble: &ApiError, so: &'static str) -> ApiFailure {
    let code = match trouble.kind {
        _ if trouble.is_of_configuration() => Code::Misconfigured,
        _ if trouble.is_passing() => Code::Unavailable,
        ApiErrorKind::Unauthorized | ApiErrorKind::Forbidden => Code::RejectedByProvider,
        _ => Code::NeedsHuman,
    };
    ApiFailure {
        problem: Problem::new(code)
            .with_detail(so)
            .because(trouble.to_string().into()),
        retry_after: trouble.retry_after.filter(|wait| *wait > Duration::ZERO),
    }
}

fn of_another_provider() -> ApiFailure {
    ApiFailure {
        problem: Problem::new(Code::Misconfigured).with_detail(
            "the profile is of another provider than Run:ai, and only Run:ai's keys can be shown",
        ),
        retry_after: None,
    }
}

fn without_answer() -> ApiFailure {
    ApiFailure {
        problem: Problem::new(Code::Unavailable)
            .with_detail("the look-up ended without a result; try again"),
        retry_after: None,
    }
}
