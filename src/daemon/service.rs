//! What the daemon can be asked, whichever way it is asked: by path, or by a verb of the companion.

use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{mpsc, oneshot, watch};

use super::keep::feed::Feed;
use super::keep::handle::{Handle, Served};
use super::keep::roster::Roster;
use crate::clock::Clock;
use crate::policy::Caller;
use crate::problem::{Code, Problem};
use crate::profile::ProfileName;
use crate::query::{ProfileState, Reloaded};
use crate::wire::reload::{ReloadQuery, Source};
use crate::wire::{DEFAULT_MAX_WAIT, Rejected};

mod runs;

pub(super) use self::runs::{Printed, RunAnswer};

/// Through which socket a request came.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Door {
    /// `jeton.sock`, which gives tokens.
    Tokens,
    /// `admin.sock`, which changes things.
    Admin,
}

/// A request to read the configuration again.
pub struct ReloadRequest {
    /// For which daemon it is meant.
    pub query: ReloadQuery,
    /// Answered with what changed, and of what.
    pub done: oneshot::Sender<Result<(Reloaded, Source), Problem>>,
}

/// What the daemon can be asked.
pub struct Service {
    /// The profiles.
    pub roster: Arc<Roster>,
    /// The time.
    pub clock: Arc<dyn Clock>,
    /// Where the token socket is, for status.
    pub socket: String,
    /// The way to the task that reloads.
    pub reloads: mpsc::Sender<ReloadRequest>,
    /// Whether the daemon is stopping.
    pub closing: watch::Receiver<bool>,
}

/// A profile that is being asked. It has a box of its own, since most requests are answered without a wait.
type Asking<'a, T> = Pin<Box<dyn Future<Output = Result<T, Problem>> + Send + 'a>>;

// === impl Service ===

impl Service {
    /// Whether a caller may ask for anything at all through this socket.
    pub fn admits(&self, caller: &Caller, door: Door) -> bool {
        match door {
            // A rule is about a profile's tokens, and changes nothing.
            Door::Admin => self.roster.gate().is_ours(caller.uid),
            Door::Tokens => {
                self.roster.has_all(caller.uid) || self.roster.seen_by(caller).has_any()
            }
        }
    }

    /// The states of one profile, or of all that the caller may use.
    ///
    /// # Errors
    /// `unknown_profile`, `misconfigured`, or `forbidden`.
    pub fn profiles(
        &self,
        caller: &Caller,
        name: Option<&ProfileName>,
    ) -> Result<Vec<ProfileState>, Problem> {
        let seen = self.roster.seen_by(caller);
        match name {
            Some(name) => Ok(vec![seen.get(name)?.state()]),
            None => Ok(seen.handles()?.map(|handle| handle.state()).collect()),
        }
    }

    /// The token of a profile that is held, if it is good enough: without a wait. Else [`Self::token`] has to follow.
    ///
    /// # Errors
    /// The [`Problem`] says why this caller may not have it.
    pub fn held(
        &self,
        caller: &Caller,
        name: &ProfileName,
        min_valid: Duration,
    ) -> Result<Option<Served>, Problem> {
        let seen = self.roster.seen_by(caller);
        Ok(seen.get(name)?.at_once(min_valid))
    }

    /// A token, and the profile whose it is: the one named, else the only profile that the caller may use when none is named.
    ///
    /// # Errors
    /// The [`Problem`] says why there is none.
    pub async fn token(
        &self,
        caller: &Caller,
        name: Option<&ProfileName>,
        min_valid: Duration,
        max_wait: Duration,
    ) -> Result<(Arc<Handle>, Served), Problem> {
        let handle = self.roster.seen_by(caller).pick(name).cloned()?;
        if let Some(served) = handle.at_once(min_valid) {
            return Ok((handle, served));
        }
        let left = self.countdown(max_wait);
        self.of_now(caller, handle, |handle| {
            Box::pin(handle.in_time(min_valid, left()))
        })
        .await
    }

    /// What is left of a wait that begins now.
    fn countdown(&self, wait: Duration) -> impl Fn() -> Duration {
        let deadline = self.clock.read().running.saturating_add(wait);
        move || deadline.saturating_sub(self.clock.read().running)
    }

    /// Asks a profile, and once more when a reload has put another one in its place meanwhile, or has taken it from this
    /// caller: what the old one gave is of a configuration that is no longer in force.
    async fn of_now<T>(
        &self,
        caller: &Caller,
        mut handle: Arc<Handle>,
        ask: impl for<'a> Fn(&'a Handle) -> Asking<'a, T>,
    ) -> Result<(Arc<Handle>, T), Problem> {
        loop {
            let answer = ask(&handle).await;
            let now = self.roster.seen_by(caller).get(handle.name()).cloned()?;
            if Arc::ptr_eq(&now, &handle) {
                return Ok((handle, answer?));
            }
            handle = now;
        }
    }

    /// The next token after one that was rejected, and the profile whose it is.
    ///
    /// # Errors
    /// The [`Problem`] says why there is none.
    pub async fn reject(
        &self,
        caller: &Caller,
        name: Option<&ProfileName>,
        which: &Rejected,
        max_wait: Duration,
    ) -> Result<(Arc<Handle>, Served), Problem> {
        let handle = self.roster.seen_by(caller).pick(name).cloned()?;
        let left = self.countdown(max_wait);
        let which = *which;
        self.of_now(caller, handle, |handle| {
            let left = left();
            Box::pin(async move { handle.reject(&which, left).await })
        })
        .await
    }

    /// A new token of a profile, and its state then.
    ///
    /// # Errors
    /// The [`Problem`] says why there is none.
    pub async fn refresh(
        &self,
        caller: &Caller,
        name: Option<&ProfileName>,
    ) -> Result<ProfileState, Problem> {
        let handle = self.roster.seen_by(caller).pick(name).cloned()?;
        let left = self.countdown(DEFAULT_MAX_WAIT);
        let refreshed = self.of_now(caller, handle, |handle| Box::pin(handle.refresh(left())));
        let (handle, ()) = refreshed.await?;
        Ok(handle.state())
    }

    /// Whether the daemon, or a profile within `wait`, is ready.
    ///
    /// # Errors
    /// The [`Problem`] says why not.
    pub async fn ready(
        &self,
        caller: &Caller,
        name: Option<&ProfileName>,
        wait: Duration,
    ) -> Result<(), Problem> {
        match name {
            None => self.roster.valid().map(drop),
            Some(name) => {
                let handle = self.roster.seen_by(caller).get(name).cloned()?;
                let left = self.countdown(wait);
                let ready = self.of_now(caller, handle, |handle| Box::pin(handle.ready(left())));
                ready.await.map(drop)
            }
        }
    }

    /// What happens to a profile from now on, for whoever knows the token of generation `since` already.
    ///
    /// # Errors
    /// The [`Problem`] says why this caller may not watch it.
    pub fn watch(
        &self,
        caller: &Caller,
        name: Option<&ProfileName>,
        since: Option<u64>,
    ) -> Result<Feed, Problem> {
        Feed::open(
            &self.roster,
            &self.clock,
            &self.closing,
            caller,
            name,
            since,
        )
    }

    /// Reads the configuration again, if that is meant for this daemon.
    ///
    /// # Errors
    /// `misconfigured` when it is invalid, `conflict` when another daemon is meant; then nothing has changed.
    pub async fn reload(&self, query: ReloadQuery) -> Result<(Reloaded, Source), Problem> {
        let (done, changed) = oneshot::channel();
        let stopping = || Problem::new(Code::Unavailable).with_detail("the daemon is stopping");
        let request = ReloadRequest { query, done };
        self.reloads.send(request).await.map_err(|_| stopping())?;
        changed.await.map_err(|_| stopping())?
    }
}

/// What a caller at the wrong socket is told.
pub(super) const ADMIN_ONLY: &str = "this is done through the admin socket only";
