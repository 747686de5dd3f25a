//! The API of a Run:ai control plane, as the profiles of this machine use it.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::Semaphore;

use super::super::keep::lookups::{Api, Facts, LookUp, LookingUp, NoFacts};
use crate::applications::{Applications, Trouble, TroubleKind};
use crate::config::{Profile, Provider};
use crate::credential::Enrolment;
use crate::offload::Lost;
use crate::problem::{Code, Problem};
use crate::provider::aside::{IssuerThread, Threads};
use crate::provider::configured::Files;
use crate::token::AccessToken;

/// How many look-ups of all profiles run at once: each has a connection.
const AT_ONCE: usize = 16;

/// What the look-ups of all profiles share.
pub(super) struct ControlPlanes {
    /// The threads on which issuers are spoken to.
    pub(super) threads: Threads,
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
    /// The control planes of this user's daemon.
    pub(super) fn new(owner: u32) -> Self {
        Self {
            threads: Threads::default(),
            owner,
            places: Arc::new(Semaphore::new(AT_ONCE)),
        }
    }

    /// The API of this profile's issuer; `None` if it is not Run:ai. The calls run on the issuer's thread.
    pub(super) fn of(&self, profile: &Profile) -> Option<Arc<dyn Api>> {
        let Provider::Runai(_) = &profile.provider else {
            return None;
        };
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

    fn look_up(&self, what: LookUp, token: AccessToken, enrolment: Arc<Enrolment>) -> LookingUp {
        let files = Files::of(self.owner);
        // The token goes to no server that others vouch for than at the enrolment.
        let api = Applications::new(&self.profile, &files, enrolment.ca.clone(), token);
        let (thread, places) = (self.thread.clone(), Arc::clone(&self.places));
        Box::pin(async move {
            // It is never closed.
            let _place = places.acquire().await.ok();
            let Some(api) = api else {
                return Err(without_answer());
            };
            let looking = async move { look_up(&api, what).await };
            thread
                .run(looking)
                .await
                .unwrap_or_else(|Lost| Err(without_answer()))
        })
    }
}

async fn look_up(api: &Applications, what: LookUp) -> Result<Facts, NoFacts> {
    match what {
        LookUp::Keys { kind, all, with } => {
            let listed = match with {
                None => api.list(kind, all).await,
                Some(key) => api.list_with(kind, all, &key).await,
            };
            match listed {
                Ok(listed) => Ok(Facts::Keys(Arc::new(listed))),
                Err(trouble) => Err(no_facts(&trouble, "no list")),
            }
        }
    }
}

/// What a caller is told of trouble, after what follows from it. The API's words in it are quoted and escaped.
fn no_facts(trouble: &Trouble, so: &'static str) -> NoFacts {
    let code = match trouble.kind {
        _ if trouble.is_of_configuration() => Code::Misconfigured,
        _ if trouble.is_passing() => Code::Unavailable,
        TroubleKind::Unauthorized | TroubleKind::Forbidden => Code::RejectedByProvider,
        _ => Code::NeedsHuman,
    };
    NoFacts {
        problem: Problem::new(code)
            .with_detail(so)
            .because(trouble.to_string().into()),
        retry_after: trouble.retry_after.filter(|wait| *wait > Duration::ZERO),
    }
}

fn without_answer() -> NoFacts {
    NoFacts {
        problem: Problem::new(Code::Unavailable).with_detail("the look-up was lost; try again"),
        retry_after: None,
    }
}
