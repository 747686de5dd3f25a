//! Queries to a profile's issuer for a caller that may use the profile.

use std::sync::Arc;

use super::Service;
use crate::daemon::keep::api_queries::{ApiAnswer, ApiQuestion};
use crate::daemon::keep::wait_limit::WaitLimit;
use crate::policy::Caller;
use crate::problem::{Code, Problem};
use crate::profile::ProfileName;
use crate::query::{KeyList, KeyUser, KeysAnswer, KeysQuery, WhoamiAnswer, WhoamiQuery};

impl Service {
    /// Returns the keys that a control plane lists for a profile's token, and the profiles that use them.
    ///
    /// # Errors
    /// The [`Problem`] says why there is no token or no list.
    pub(super) async fn keys(
        &self,
        caller: &Caller,
        query: &KeysQuery,
        max_wait: WaitLimit,
    ) -> Result<KeysAnswer, Problem> {
        let handle = self
            .roster
            .seen_by(caller)
            .pick(query.profile.as_ref())
            .cloned()?;
        let name = handle.name().clone();
        let left = self.countdown(max_wait);
        let what = |with: Option<&str>| ApiQuestion::Keys {
            kind: query.kind,
            all: query.all,
            with: with.map(str::to_owned),
        };
        let (handle, facts) = self
            .of_now(caller, handle, |handle| {
                Box::pin(handle.look_up(what(None), left()))
            })
            .await?;
        let mut keys = keys_of(facts)?;
        let lacking = query.key.as_deref().filter(|key| keys.may_lack(key));
        if lacking.is_some() {
            let (_, facts) = self
                .of_now(caller, handle, |handle| {
                    Box::pin(handle.look_up(what(lacking), left()))
                })
                .await?;
            keys = keys_of(facts)?;
        }
        let users = self.key_users(caller, &name)?;
        Ok(KeysAnswer { keys, users })
    }

    /// Returns the identity that a profile's token belongs to.
    ///
    /// # Errors
    /// The [`Problem`] says why there is no token, or why the identity is not known.
    pub(super) async fn whoami(
        &self,
        caller: &Caller,
        query: &WhoamiQuery,
        max_wait: WaitLimit,
    ) -> Result<WhoamiAnswer, Problem> {
        let handle = self
            .roster
            .seen_by(caller)
            .pick(query.profile.as_ref())
            .cloned()?;
        let left = self.countdown(max_wait);
        let (handle, facts) = self
            .of_now(caller, handle, |handle| {
                Box::pin(handle.look_up(ApiQuestion::Identity, left()))
            })
            .await?;
        match facts {
            ApiAnswer::Identity(identity) => Ok(WhoamiAnswer {
                profile: handle.name().clone(),
                state: Box::new(self.state_of(&handle).reply),
                identity,
            }),
            ApiAnswer::Keys(_) => Err(Problem::new(Code::Internal)),
        }
    }

    /// Returns the client IDs of the caller's profiles at the same control plane as this profile.
    fn key_users(&self, caller: &Caller, name: &ProfileName) -> Result<Vec<KeyUser>, Problem> {
        let seen = self.roster.seen_by(caller);
        let site = seen.get(name)?.api_site();
        let there = seen.handles()?.filter(|handle| handle.api_site() == site);
        let user = there.filter_map(|handle| {
            Some(KeyUser {
                client_id: handle.enrolment()?.client_id.clone(),
                profile: handle.name().clone(),
            })
        });
        Ok(user.collect())
    }
}

/// Extracts the keys from the answer to a query for keys.
fn keys_of(facts: ApiAnswer) -> Result<Arc<dyn KeyList>, Problem> {
    match facts {
        ApiAnswer::Keys(keys) => Ok(keys),
        ApiAnswer::Identity(_) => Err(Problem::new(Code::Internal)),
    }
}
