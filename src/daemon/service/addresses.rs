//! Tokens for an address that a client names.

use std::sync::Arc;

use super::Service;
use crate::address::Address;
use crate::config::{HostEntry, entry_for};
use crate::daemon::keep::handle::{Handle, ServedToken};
use crate::daemon::keep::roster::CallerView;
use crate::daemon::keep::wait_limit::WaitLimit;
use crate::policy::Caller;
use crate::problem::{Code, Problem};
use crate::profile::ProfileName;
use crate::query::{AddressQuery, AddressRejectQuery, ExplainAnswer, ExplainQuery, HostListing};

const NO_PROFILE: &str = "no profile is for this address; 'jeton explain ADDRESS' says why";

/// Detail for a client that names neither an address nor a profile.
const NO_NAME: &str = "this protocol names no address, so its arguments have to name a profile; 'jeton status' lists them";

impl Service {
    /// Returns the token for an address, its profile, and the entry that matched.
    ///
    /// # Errors
    /// `unknown_profile` if no profile of this caller is for the address. Otherwise as [`Service::token`].
    pub async fn token_at(
        &self,
        caller: &Caller,
        query: &AddressQuery,
        max_wait: WaitLimit,
    ) -> Result<(Arc<Handle>, ServedToken, Option<HostEntry>), Problem> {
        let (handle, entry) = self.entry_at(caller, query)?;
        let name = handle.name();
        let (handle, served) = self
            .token(caller, Some(name), query.min_valid, max_wait)
            .await?;
        Ok((handle, served, entry))
    }

    /// Reports that the token for an address was rejected, if the matching entry lets the report count. Returns when
    /// there is a newer token, or after `max_wait`.
    ///
    /// # Errors
    /// `unknown_profile` if no profile of this caller is for the address.
    pub async fn reject_at(
        &self,
        caller: &Caller,
        query: &AddressRejectQuery,
        max_wait: WaitLimit,
    ) -> Result<(), Problem> {
        let (handle, entry) = self.entry_at(caller, &query.at)?;
        if (query.counts)(entry.as_ref()) {
            // The keeper has received the report, whatever the result.
            let _: Result<_, Problem> = self
                .reject(caller, Some(handle.name()), &query.which, max_wait)
                .await;
        }
        Ok(())
    }

    /// Whether the address still leads to this profile by the same entry.
    pub(super) fn is_still(
        &self,
        caller: &Caller,
        query: &AddressQuery,
        handle: &Handle,
        entry: &Option<HostEntry>,
    ) -> bool {
        let now = self.entry_at(caller, query);
        now.is_ok_and(|(now, by)| now.name() == handle.name() && by == *entry)
    }

    fn entry_at(
        &self,
        caller: &Caller,
        query: &AddressQuery,
    ) -> Result<(Arc<Handle>, Option<HostEntry>), Problem> {
        let seen = self.roster.seen_by(caller);
        let Some(address) = &query.address else {
            let name = query.profile.as_ref();
            let name = name.ok_or_else(|| Problem::bad_request(query.lacks.unwrap_or(NO_NAME)))?;
            let handle = seen.get(name)?;
            let has_hosts = of_profile(&seen, Some(name))?.next().is_some();
            return match query.lacks {
                Some(lacks) if has_hosts => Err(Problem::bad_request(lacks).of(name)),
                _ => Ok((Arc::clone(handle), None)),
            };
        };
        let found = find(
            &seen,
            address,
            query.profile.as_ref(),
            query.username.as_deref(),
        )?;
        let found = found.map(|(handle, entry)| (Arc::clone(handle), Some(entry.clone())));
        found.ok_or_else(|| Problem::new(Code::UnknownProfile).with_detail(NO_PROFILE))
    }

    /// Returns the addresses of the profiles that the caller may use.
    ///
    /// # Errors
    /// `misconfigured` with the reason.
    pub fn hosts(&self, caller: &Caller) -> Result<Vec<HostListing>, Problem> {
        let seen = self.roster.seen_by(caller);
        Ok(seen.hosts()?.map(listing).collect())
    }

    /// Returns which profile an address leads to, by the same rules as [`Service::token_at`], and the entries that
    /// explain it.
    ///
    /// # Errors
    /// `misconfigured` with the reason. For a named profile, as [`Service::token`].
    pub fn explain(&self, caller: &Caller, query: &ExplainQuery) -> Result<ExplainAnswer, Problem> {
        let seen = self.roster.seen_by(caller);
        let found = find(
            &seen,
            &query.address,
            query.profile.as_ref(),
            query.username.as_deref(),
        )?;
        Ok(ExplainAnswer {
            found: found.map(listing),
            hosts: seen.hosts()?.map(listing).collect(),
        })
    }
}

/// Finds the profile and the entry for an address. If a profile is named, only its own entries count. If the user name
/// does not match that of the entry, the result is `None`, not the next entry.
fn find<'s>(
    seen: &'s CallerView<'_>,
    address: &Address,
    profile: Option<&ProfileName>,
    username: Option<&str>,
) -> Result<Option<(&'s Arc<Handle>, &'s HostEntry)>, Problem> {
    if let Some(name) = profile {
        seen.get(name)?;
    }
    let found = entry_for(of_profile(seen, profile)?, |(_, entry)| entry, address);
    Ok(found.filter(|(_, entry)| {
        let own = entry.username.as_deref();
        own.is_none() || username.is_none() || own == username
    }))
}

/// Returns the entries of a profile, or of all profiles that the caller may use.
fn of_profile<'s>(
    seen: &'s CallerView<'_>,
    profile: Option<&ProfileName>,
) -> Result<impl Iterator<Item = (&'s Arc<Handle>, &'s HostEntry)>, Problem> {
    let is_meant = move |handle: &Handle| profile.is_none_or(|name| name == handle.name());
    Ok(seen.hosts()?.filter(move |(handle, _)| is_meant(handle)))
}

fn listing((handle, entry): (&Arc<Handle>, &HostEntry)) -> HostListing {
    HostListing {
        profile: handle.name().clone(),
        entry: entry.clone(),
    }
}
