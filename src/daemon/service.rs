//! The requests that the daemon answers, whether they come by path or by a verb of the companion.

use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{mpsc, oneshot, watch};

use super::command_files::CommandFiles;
use super::keep::feed::Feed;
use super::keep::handle::{Handle, Served};
use super::keep::patience::Patience;
use super::keep::roster::Roster;
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
pub use self::lists::Lists;
pub(super) use self::rotating::{RotationFeed, Told as RotationTold};
pub(super) use self::runs::{Printed, RunAnswer};
pub use self::second_calls::SecondCalls;

/// The socket through which a request came.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Door {
    /// `jeton.sock`, which serves tokens.
    Tokens,
    /// `admin.sock`, which takes requests that change something.
    Admin,
}

/// The service behind both sockets.
pub struct Service {
    /// The profiles.
    pub roster: Arc<Roster>,
    /// The clock.
    pub clock: Arc<dyn Clock>,
    /// Where the token socket is, for status.
    pub socket: String,
    /// The file of this program.
    pub program: ProgramFile,
    /// The channel to the task that changes the daemon.
    pub reloads: mpsc::Sender<Change>,
    /// Whether the daemon is stopping.
    pub closing: watch::Receiver<bool>,
    /// The long lists that are being made.
    pub lists: Lists,
    /// The tokens that clients keep until they are rejected.
    pub second_calls: SecondCalls,
    /// The files of commands.
    pub files: CommandFiles,
    /// The rotations of keys.
    pub rotations: Arc<Rotations>,
    /// The ages of keys.
    pub ages: Arc<KeyAges>,
}

/// A pending request to a profile. It is boxed, since most requests are answered without a wait.
type Asking<'a, T> = Pin<Box<dyn Future<Output = Result<T, Problem>> + Send + 'a>>;

// === impl Service ===

impl Service {
    /// Whether a caller may make any request at all through this socket.
    pub fn admits(&self, caller: &Caller, door: Door) -> bool {
        match door {
            // Rules grant a profile's tokens, and no changes.
            Door::Admin => self.roster.gate().is_ours(caller.uid),
            Door::Tokens => {
                self.roster.has_all(caller.uid) || self.roster.seen_by(caller).has_any()
            }
        }
    }

    /// Whether a caller may connect to this socket: a caller that may not could make no request.
    pub fn may_connect(&self, caller: &Caller, door: Door) -> bool {
        match door {
            Door::Admin => self.roster.gate().is_ours(caller.uid),
            Door::Tokens => self.roster.may_have_any(caller),
        }
    }

    /// One profile, or all that the caller may use.
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

    /// The version of this daemon, and whether its program was replaced.
    pub fn version(&self) -> VersionReply {
        VersionReply {
            version: program::version().to_owned(),
            binary_replaced: self.program.is_replaced(),
        }
    }

    /// Returns the held token of a profile without a wait, if it is good enough. Otherwise call [`Self::token`] next.
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

    /// Returns a token and its profile: the named one, else the only profile that the caller may use.
    ///
    /// # Errors
    /// The [`Problem`] says why there is no token.
    pub async fn token(
        &self,
        caller: &Caller,
        name: Option<&ProfileName>,
        min_valid: Duration,
        max_wait: Patience,
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

    /// Returns what is left of a wait that begins now, at each call.
    fn countdown(&self, wait: Patience) -> impl Fn() -> Patience {
        let deadline = self.clock.read().running.saturating_add(wait.limit());
        move || wait.limited_to(deadline.saturating_sub(self.clock.read().running))
    }

    /// Asks a profile, and asks again when a reload has replaced it meanwhile: the first answer belongs to a
    /// configuration that is no longer in force. Fails when the reload has taken the profile from this caller.
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

    /// Returns the next token after a rejected one, and its profile.
    ///
    /// # Errors
    /// The [`Problem`] says why there is no newer token.
    pub async fn reject(
        &self,
        caller: &Caller,
        name: Option<&ProfileName>,
        which: &Rejected,
        max_wait: Patience,
    ) -> Result<(Arc<Handle>, Served), Problem> {
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

    /// Gets a new token of a profile within `max_wait`, and returns the profile's state with it.
    ///
    /// # Errors
    /// The [`Problem`] says why there is no new token.
    pub async fn refresh(
        &self,
        caller: &Caller,
        name: Option<&ProfileName>,
        max_wait: Patience,
    ) -> Result<ProfileState, Problem> {
        let handle = self.roster.seen_by(caller).pick(name).cloned()?;
        let left = self.countdown(max_wait);
        let refreshed = self.of_now(caller, handle, |handle| Box::pin(handle.refresh(left())));
        let (handle, ()) = refreshed.await?;
        Ok(self.state_of(&handle))
    }

    /// Whether the daemon, or a profile within `wait`, is ready.
    ///
    /// # Errors
    /// The [`Problem`] says why not.
    pub async fn ready(
        &self,
        caller: &Caller,
        name: Option<&ProfileName>,
        wait: Patience,
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

    /// Watches a profile from now on, for a watcher that already has the token of generation `since`.
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

    /// Reads the configuration again, if the request is meant for this daemon.
    ///
    /// # Errors
    /// `misconfigured` when it is invalid, `conflict` when the request is meant for another daemon; then nothing has
    /// changed.
    pub async fn reload(&self, query: ReloadQuery) -> Result<(Reloaded, Source), Problem> {
        let (done, changed) = oneshot::channel();
        let asked = from_now(Duration::ZERO);
        let request = Change::Reload(ReloadRequest { query, asked, done });
        self.reloads.send(request).await.map_err(|_| stopping())?;
        changed.await.map_err(|_| stopping())?
    }
}

/// Detail for a request at the wrong socket.
pub(super) const ADMIN_ONLY: &str = "this is done through the admin socket only";
