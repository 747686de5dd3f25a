//! Looks things up at the profile's issuer with the token that is held.

use std::sync::Arc;
use std::time::Duration;

use super::super::lookups::{Api, Facts, LIMIT, LookUp, Lookups};
use super::super::patience::Patience;
use super::Handle;
use crate::credential::Enrolment;
use crate::problem::{Code, Problem};
use crate::query::{KeyKind, KeySeen};
use crate::wire::DEFAULT_MAX_WAIT;

impl Handle {
    /// The same profile with the API of its issuer.
    #[must_use]
    pub fn with_api(mut self, api: Option<Arc<dyn Api>>) -> Self {
        self.lookups = api.map(|api| Lookups::new(api, Arc::clone(&self.clock)));
        self
    }

    /// Where the API of the profile's issuer is, if it has one that we know.
    pub fn api_site(&self) -> Option<&str> {
        self.lookups.as_ref().map(|lookups| lookups.site())
    }

    /// The stored credential without its secret, as it was read last.
    pub fn enrolment(&self) -> Option<Arc<Enrolment>> {
        self.enrolled.borrow().clone()
    }

    /// What the profile's issuer says of the user's key of this client ID; `None` if it does not list it.
    ///
    /// # Errors
    /// As [`Handle::look_up`].
    pub async fn key_seen(&self, client_id: &str) -> Result<Option<KeySeen>, Problem> {
        let what = LookUp::Keys {
            kind: KeyKind::Auto,
            all: false,
            with: None,
        };
        match self.look_up(what, Patience::from(LIMIT)).await? {
            Facts::Keys(keys) => Ok(keys.seen(client_id)),
            Facts::Identity(_) => Err(Problem::new(Code::Internal)),
        }
    }

    /// Looks this up, within `max_wait`. Without a held token it waits for one as a request for a token does.
    ///
    /// # Errors
    /// The [`Problem`] says why there is no token, or why nothing was found.
    pub async fn look_up(&self, what: LookUp, max_wait: Patience) -> Result<Facts, Problem> {
        let Some(lookups) = &self.lookups else {
            return Err(Problem::new(Code::Misconfigured)
                .with_detail("nothing is known of the API of this profile's issuer")
                .of(&self.name));
        };
        if let Some(answer) = lookups.recent(&what) {
            return answer.map_err(|problem| problem.of(&self.name));
        }
        // This whole request waits, so that the wait for a token within it takes no place of its own.
        let for_token = max_wait.limit().min(DEFAULT_MAX_WAIT);
        let looking = async {
            let served = self.token(Duration::ZERO, for_token).await?;
            let Some(enrolment) = self.enrolment() else {
                return Err(Problem::new(Code::Unavailable));
            };
            lookups.answer(&what, &served.held.token, &enrolment).await
        };
        let answer = max_wait.run(looking).await.unwrap_or_else(|early| {
            let problem = Problem::new(Code::Deadline)
                .with_detail("the control plane has not answered yet; try again, or wait longer");
            Err(self.early(problem, early))
        });
        answer.map_err(|problem| problem.of(&self.name))
    }
}
