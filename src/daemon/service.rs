//! Answers requests, whether they come from an HTTP path or from a companion's verb.

use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{mpsc, oneshot, watch};

use super::command_files::CommandFiles;
use super::keep::feed::Feed;
use super::keep::handle::{Handle, ServedToken};
use super::keep::roster::Roster;
use super::keep::wait_limit::WaitLimit;
use super::rotating::Rotations;
use super::rotation_timer::KeyAges;
use crate::clock::{Clock, from_now};
use crate::lifecycle::Reporter;
use crate::policy::Caller;
use crate::problem::Problem;
use crate::process::program::{self, ProgramFile};
use crate::profile::ProfileName;
use crate::query::{ProfileState, Reloaded};
use crate::wire::reload::{ReloadQuery, Source};
use crate::wire::{Rejected, VersionReply};

mod addresses;
mod changes;
mod expiries;
mod lists;
mod locking;
mod look_ups;
mod rotating;
mod runs;
mod second_calls;
mod token_issued;

use self::changes::stopping;
pub use self::changes::{Change, LockRequest, ReloadRequest};
pub use self::lists::LongLists;
pub(super) use self::rotating::{RotationFeed, RotationFeedItem as RotationTold};
pub(super) use self::runs::{Printed, RunAnswer};
pub use self::second_calls::SecondCalls;

/// The socket through which a request came.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SocketKind {
    /// `jeton.sock`, which serves tokens.
    Tokens,
    /// `admin.sock`, which takes requests for changes.
    Admin,
}

/// The service behind both sockets.
pub struct Service {
    /// The profiles.
    pub roster: Arc<Roster>,
    /// The clock.
    pub clock: Arc<dyn Clock>,
    /// Path of the token socket, for status replies.
    pub socket: String,
    /// The file of this program.
    pub program: ProgramFile,
    /// Channel to the task that carries out changes of the daemon.
    pub reloads: mpsc::Sender<Change>,
    /// Whether the daemon is stopping.
    pub closing: watch::Receiver<bool>,
    /// The long lists that are being made.
    pub lists: LongLists,
    /// The tokens that clients keep until a resource rejects them.
    pub second_calls: SecondCalls,
    /// The token files of commands.
    pub files: CommandFiles,
    /// The rotations of keys.
    pub rotations: Arc<Rotations>,
    /// The ages of the keys.
    pub ages: Arc<KeyAges>,
}

/// A pending request to a profile. It is boxed, because most requests need no wait.
type PendingRequest<'a, T> = Pin<Box<dyn Future<Output = Result<T, Problem>> + Send + 'a>>;

// === impl Service ===

impl Service {
    /// Whether a caller may make any request through this socket.
    pub fn admits(&self, caller: &Caller, door: SocketKind) -> bool {
        match door {
            // Rules grant the use of tokens, but no changes.
            SocketKind::Admin => self.roster.gate().is_ours(caller.uid),
            SocketKind::Tokens => {
                self.roster.has_all(caller.uid) || self.roster.seen_by(caller).has_any()
            }
        }
    }

    /// Whether a caller may connect to this socket. A caller that may not could make no request anyway.
    pub fn may_connect(&self, caller: &Caller, door: SocketKind) -> bool {
        match door {
            SocketKind::Admin => self.roster.gate().is_ours(caller.uid),
            SocketKind::Tokens => self.roster.may_have_any(caller),
        }
    }

    /// Returns one profile, or all that the caller may use.
    ///
    /// # Errors
    /// `unknown_profile`, `misconfigured`, or `forbidden`.
    pub fn profiles(
        &self,
        caller: &Caller,
        name: Option<&ProfileName>,
    ) -> Result<Vec<Arc<Handle>>, Problem> {
        let seen = self.roster.seen_by(caller);
        match name {
            Some(name) => Ok(vec![Arc::clone(seen.get(name)?)]),
            None => Ok(seen.handles()?.cloned().collect()),
        }
    }

    /// Returns the version of this daemon, and whether its program file was replaced.
    pub fn version(&self) -> VersionReply {
        VersionReply {
            version: program::version().to_owned(),
            binary_replaced: self.program.is_replaced(),
        }
    }

    /// Returns the held token of a profile without waiting, if it meets the request. Otherwise call [`Self::token`]
    /// next.
    ///
    /// # Errors
    /// The [`Problem`] says why this caller may not have the token.
    pub fn held(
        &self,
        caller: &Caller,
        name: &ProfileName,
        min_valid: Duration,
    ) -> Result<Option<ServedToken>, Problem> {
        let seen = self.roster.seen_by(caller);
        Ok(seen.get(name)?.at_once(min_valid))
    }

    /// Returns a token and its profile: the named one, or the only profile that the caller may use.
    ///
    /// # Errors
    /// The [`Problem`] says why there is no token.
    pub async fn token(
        &self,
        caller: &Caller,
        name: Option<&ProfileName>,
        min_valid: Duration,
        max_wait: WaitLimit,
    ) -> Result<(Arc<Handle>, ServedToken), Problem> {
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

    /// Starts the time of a wait now. Each call of the returned function gives the time that is left.
    fn countdown(&self, wait: WaitLimit) -> impl Fn() -> WaitLimit {
        let deadline = self.clock.read().running.saturating_add(wait.limit());
        move || wait.limited_to(deadline.saturating_sub(self.clock.read().running))
    }

    /// Asks a profile, and asks again if a reload has replaced it meanwhile, because the first answer belongs to a
    /// configuration that no longer applies. Fails if the caller may not use the profile after the reload.
    async fn of_now<T>(
        &self,
        caller: &Caller,
        mut handle: Arc<Handle>,
        ask: impl for<'a> Fn(&'a Handle) -> PendingRequest<'a, T>,
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

    /// Returns the token that follows a rejected one, and its profile.
    ///
    /// # Errors
    /// The [`Problem`] says why there is no newer token.
    pub async fn reject(
        &self,
        caller: &Caller,
        name: Option<&ProfileName>,
        which: &Rejected,
        max_wait: WaitLimit,
    ) -> Result<(Arc<Handle>, ServedToken), Problem> {
        let handle = self.roster.seen_by(caller).pick(name).cloned()?;
        let left = self.countdown(max_wait);
        let which = *which;
        let reporter = if self.roster.gate().is_ours(caller.uid) {
            Reporter::Ours(caller.uid)
        } else {
            Reporter::Other(caller.uid)
        };
        self.of_now(caller, handle, |handle| {
            let left = left();
            Box::pin(async move { handle.reject(&which, reporter, left).await })
        })
        .await
    }

    /// Gets a new token of a profile within `max_wait`, and returns the profile's state after it.
    ///
    /// # Errors
    /// The [`Problem`] says why there is no new token.
    pub async fn refresh(
        &self,
        caller: &Caller,
        name: Option<&ProfileName>,
        max_wait: WaitLimit,
    ) -> Result<ProfileState, Problem> {
        let handle = self.roster.seen_by(caller).pick(name).cloned()?;
        let left = self.countdown(max_wait);
        let refreshed = self.of_now(caller, handle, |handle| Box::pin(handle.refresh(left())));
        let (handle, ()) = refreshed.await?;
        Ok(self.state_of(&handle))
    }

    /// Waits at most `wait` until a profile is ready. Without a name, checks the daemon itself.
    ///
    /// # Errors
    /// The [`Problem`] says why not.
    pub async fn ready(
        &self,
        caller: &Caller,
        name: Option<&ProfileName>,
        wait: WaitLimit,
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

    /// Opens the event stream of a profile. `since` is the generation of the token that the watcher already has.
    ///
    /// # Errors
    /// The [`Problem`] says why this caller may not watch the profile.
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

    /// Reads the configuration again, if the request is meant for this daemon.
    ///
    /// # Errors
    /// `misconfigured` if it is invalid, or `conflict` if the request is meant for another daemon. Nothing has changed
    /// in either case.
    pub async fn reload(&self, query: ReloadQuery) -> Result<(Reloaded, Source), Problem> {
        let (done, changed) = oneshot::channel();
        let asked = from_now(Duration::ZERO);
        let request = Change::Reload(ReloadRequest { query, asked, done });
        self.reloads.send(request).await.map_err(|_| stopping())?;
        changed.await.map_err(|_| stopping())?
    }
}

/// Detail for a request on the wrong socket.
pub(super) const ADMIN_ONLY: &str = "this is done through the admin socket only";
