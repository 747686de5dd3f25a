//! Serves the token for an address that a client names.

use std::sync::Arc;

use super::Service;
use crate::config::{HostEntry, entry_for};
use crate::daemon::keep::handle::{Handle, Served};
use crate::daemon::keep::patience::Patience;
use crate::policy::Caller;
use crate::problem::{Code, Problem};
use crate::query::{AddressQuery, HostListing};

const NO_PROFILE: &str = "no profile is for this address; 'jeton explain ADDRESS' says why";

impl Service {
    /// Returns the token for an address, its profile and the entry that decides.
    ///
    /// # Errors
    /// `unknown_profile` for an address that no profile of this caller is for, and as [`Service::token`].
    pub async fn token_at(
        &self,
        caller: &Caller,
        query: &AddressQuery,
        max_wait: Patience,
    ) -> Result<(Arc<Handle>, Served, Option<HostEntry>), Problem> {
        let (handle, entry) = self.entry_at(caller, query)?;
        let name = handle.name();
        let (handle, served) = self
            .token(caller, Some(name), query.min_valid, max_wait)
            .await?;
        Ok((handle, served, entry))
    }

    fn entry_at(
        &self,
        caller: &Caller,
        query: &AddressQuery,
    ) -> Result<(Arc<Handle>, Option<HostEntry>), Problem> {
        let seen = self.roster.seen_by(caller);
        let Some(address) = &query.address else {
            let handle = Arc::clone(seen.pick(query.profile.as_ref())?);
            let has_hosts = seen
                .hosts()?
                .any(|(owner, _)| owner.name() == handle.name());
            return match query.lacks {
                Some(lacks) if has_hosts => Err(Problem::new(Code::BadRequest)
                    .with_detail(lacks)
                    .of(handle.name())),
                _ => Ok((handle, None)),
            };
        };
        if let Some(name) = &query.profile {
            seen.get(name)?;
        }
        let named = |handle: &Handle| {
            let name = query.profile.as_ref();
            name.is_none_or(|name| name == handle.name())
        };
        let hosts: Vec<_> = seen.hosts()?.collect();
        let entries = hosts.iter().map(|(handle, entry)| (handle.name(), *entry));
        let found = entry_for(entries, address).and_then(|(name, entry)| {
            let handle = hosts.iter().find(|(handle, _)| handle.name() == name)?.0;
            let is_user = |own: &String| query.username.as_ref().is_none_or(|user| user == own);
            let is_meant = named(handle) && entry.username.as_ref().is_none_or(is_user);
            is_meant.then(|| (Arc::clone(handle), Some(entry.clone())))
        });
        found.ok_or_else(|| Problem::new(Code::UnknownProfile).with_detail(NO_PROFILE))
    }

    /// The addresses of the profiles that the caller may use.
    ///
    /// # Errors
    /// `misconfigured` with the reason.
    pub fn hosts(&self, caller: &Caller) -> Result<Vec<HostListing>, Problem> {
        let seen = self.roster.seen_by(caller);
        let hosts = seen.hosts()?.map(|(handle, entry)| HostListing {
            profile: handle.name().clone(),
            entry: entry.clone(),
        });
        Ok(hosts.collect())
    }
}
