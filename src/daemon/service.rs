//! What the daemon can be asked, whichever way it is asked: by path, or by a verb of the companion.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{mpsc, oneshot};

use super::clock::Clock;
use super::roster::Roster;
use crate::dialect::{self, Outcome, ProfileState, Query, Reloaded, Surroundings};
use crate::problem::{Code, Problem};
use crate::profile::ProfileName;
use crate::wire::frame::{Answer, Invocation};

/// Through which socket a request came.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Door {
    /// `jeton.sock`, which gives tokens.
    Tokens,
    /// `admin.sock`, which changes things.
    Admin,
}

/// A request to read the configuration again; answered with what changed.
pub type ReloadRequest = oneshot::Sender<Result<Reloaded, Problem>>;

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
}

// === impl Service ===

impl Service {
    /// The states of one profile, or of all.
    ///
    /// # Errors
    /// `unknown_profile`, or `misconfigured`.
    pub fn profiles(&self, name: Option<&ProfileName>) -> Result<Vec<ProfileState>, Problem> {
        match name {
            Some(name) => Ok(vec![self.roster.get(name)?.state()]),
            None => Ok(self
                .roster
                .valid()?
                .values()
                .map(|handle| handle.state())
                .collect()),
        }
    }

    /// Whether the daemon, or a profile within `wait`, is ready.
    ///
    /// # Errors
    /// The [`Problem`] says why not.
    pub async fn ready(&self, name: Option<&ProfileName>, wait: Duration) -> Result<(), Problem> {
        match name {
            None => self.roster.valid().map(drop),
            Some(name) => self.roster.get(name)?.ready(wait).await,
        }
    }

    /// Reads the configuration again.
    ///
    /// # Errors
    /// `misconfigured` when it is invalid; then nothing has changed.
    pub async fn reload(&self) -> Result<Reloaded, Problem> {
        let (done, changed) = oneshot::channel();
        let stopping = || Problem::new(Code::Unavailable).with_detail("the daemon is stopping");
        self.reloads.send(done).await.map_err(|_| stopping())?;
        changed.await.map_err(|_| stopping())?
    }

    /// Answers one run of the companion.
    pub async fn run(&self, run: &Invocation, door: Door) -> Answer {
        let dialect = match dialect::parse(run) {
            Ok(dialect) => dialect,
            Err(usage) => return usage.into(),
        };
        match self.ask(dialect.query(), door).await {
            Ok(outcome) => {
                let around = Surroundings {
                    now: self.clock.now(),
                    socket: &self.socket,
                };
                dialect.render(&outcome, around).into()
            }
            Err(problem) => dialect::failure(&problem, self.clock.now()).into(),
        }
    }

    async fn ask(&self, query: Query, door: Door) -> Result<Outcome, Problem> {
        match query {
            Query::Token {
                profile,
                min_valid,
                max_wait,
            } => {
                let handle = self.roster.pick(profile.as_ref())?;
                let served = handle.token(min_valid, max_wait).await?;
                Ok(Outcome::Token {
                    profile: handle.name().clone(),
                    held: served.held,
                    stale: served.stale,
                })
            }
            Query::Profiles { profile } => self.profiles(profile.as_ref()).map(Outcome::Profiles),
            Query::Ready { profile, wait } => self
                .ready(profile.as_ref(), wait)
                .await
                .map(|()| Outcome::Ready),
            Query::Refresh { profile } => {
                let handle = self.roster.pick(profile.as_ref())?;
                handle.refresh().await?;
                Ok(Outcome::Refreshed(handle.state()))
            }
            Query::Reload if door == Door::Admin => self.reload().await.map(Outcome::Reloaded),
            Query::Reload => Err(Problem::new(Code::Forbidden).with_detail(ADMIN_ONLY)),
        }
    }
}

/// What a caller at the wrong socket is told.
pub(super) const ADMIN_ONLY: &str = "this is done through the admin socket only";
