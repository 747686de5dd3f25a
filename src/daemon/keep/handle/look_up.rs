//! Queries to the API of a profile's issuer, made with the held token.

use std::sync::Arc;
use std::time::Duration;

use super::super::api_queries::{Api, ApiAnswer, ApiQueries, ApiQuestion, LIMIT};
use super::super::wait_limit::WaitLimit;
use super::Handle;
use crate::credential::Enrolment;
use crate::problem::{Code, Problem};
use crate::query::{KeyFacts, KeyKind};
use crate::wire::DEFAULT_MAX_WAIT;

impl Handle {
    /// Adds the API of the profile's issuer.
    #[must_use]
    pub fn with_api(mut self, api: Option<Arc<dyn Api>>) -> Self {
        self.lookups = api.map(|api| ApiQueries::new(api, Arc::clone(&self.clock)));
        self
    }

    /// Returns where the API of the profile's issuer is, if the issuer has an API that we support.
    pub fn api_site(&self) -> Option<&str> {
        self.lookups.as_ref().map(|lookups| lookups.site())
    }

    /// Returns the stored credential without its secret, as of the last read.
    pub fn enrolment(&self) -> Option<Arc<Enrolment>> {
        self.enrolled.get()
    }

    /// Returns what the issuer reports about the user's key with this client ID, or `None` if the issuer does not list
    /// it.
    ///
    /// # Errors
    /// As [`Handle::look_up`].
    pub async fn key_seen(&self, client_id: &str) -> Result<Option<KeyFacts>, Problem> {
        let what = ApiQuestion::Keys {
            kind: KeyKind::Auto,
            all: false,
            with: None,
        };
        match self.look_up(what, WaitLimit::from(LIMIT)).await? {
            ApiAnswer::Keys(keys) => Ok(keys.seen(client_id)),
            ApiAnswer::Identity(_) => Err(Problem::new(Code::Internal)),
        }
    }

    /// Queries the issuer's API within `max_wait`. Without a held token, it first waits for one like a request for a
    /// token.
    ///
    /// # Errors
    /// The [`Problem`] says why there is no token, or why the query failed.
    pub async fn look_up(
        &self,
        what: ApiQuestion,
        max_wait: WaitLimit,
    ) -> Result<ApiAnswer, Problem> {
        let Some(lookups) = &self.lookups else {
            return Err(Problem::new(Code::Misconfigured)
                .with_detail("the API of this profile's issuer is not known")
                .of(&self.name));
        };
        if let Some(answer) = lookups.recent(&what) {
            return answer.map_err(|problem| problem.of(&self.name));
        }
        // This whole request already counts as waiting, so the wait for a token inside it must not be counted again.
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
