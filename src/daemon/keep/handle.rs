//! Access to a profile for the rest of the daemon: its view, and the channel to its keeper.
//!
//! A held token is served from the view alone, without a message to the keeper.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::sync::{mpsc, oneshot, watch};

use super::jumps::Jump;
use super::keeper::{Asked, Command, Done, Enrolled, Keeper, NewSource, Parts};
use super::lookups::Lookups;
use super::sink_board::SinkBoard;
use super::waiters::Waiters;
use crate::clock::Clock;
use crate::config::Purpose;
use crate::instant::{BootInstant, Now};
use crate::lifecycle::credentials::Credentials;
use crate::lifecycle::{Held, Pace, Policy, View};
use crate::profile::ProfileName;
use crate::query::ProfileState;
use crate::store::ChangeSource;
use crate::store::source::CredentialSource;
use crate::wire::ProfileReply;
use prover::Prover;
use told::Told;

mod doubted;
mod locked;
mod look_up;
mod prove;
mod prover;
mod refresh;
mod reject;
mod superseded;
mod token;
mod told;

pub use token::Served;

/// How many commands a keeper's queue holds. Further senders wait, within their own deadlines.
const QUEUE: usize = 64;

/// A profile that is being kept.
pub struct Handle {
    name: ProfileName,
    provider: &'static str,
    purpose: Purpose,
    view: watch::Receiver<View>,
    commands: mpsc::Sender<Command>,
    clock: Arc<dyn Clock>,
    requests: AtomicU64,
    asked: Arc<Asked>,
    waiters: Arc<Waiters>,
    enrolled: Enrolled,
    lookups: Option<Arc<Lookups>>,
    prover: Prover,
    sinks: SinkBoard,
    told: Told,
    /// Where a change of its credential shows.
    change_sources: Mutex<Vec<ChangeSource>>,
    task: tokio::task::AbortHandle,
}

// === impl Handle ===

impl Handle {
    /// Starts the keeper of a profile whose tokens are for `purpose`.
    pub fn spawn(parts: Parts, provider: &'static str, purpose: Purpose) -> Self {
        Self::spawn_after(Credentials::default(), parts, provider, purpose)
    }

    /// The same, in place of a keeper that [handed over](Self::hand_over) these credentials.
    pub fn spawn_after(
        credentials: Credentials,
        parts: Parts,
        provider: &'static str,
        purpose: Purpose,
    ) -> Self {
        let (commands, inbox) = mpsc::channel(QUEUE);
        let (name, clock) = (parts.name.clone(), Arc::clone(&parts.clock));
        let waiters = Arc::<Waiters>::default();
        let change_sources = parts.source.change_sources();
        let prover = Prover {
            provider: Arc::clone(&parts.provider),
            compartment: parts.compartment.clone(),
        };
        let (keeper, view, asked) = Keeper::new(parts, credentials, inbox, Arc::clone(&waiters));
        let enrolled = keeper.enrolled();
        let task = tokio::spawn(keeper.run()).abort_handle();
        Self {
            name,
            provider,
            purpose,
            view,
            commands,
            clock,
            requests: AtomicU64::new(0),
            asked,
            waiters,
            enrolled,
            lookups: None,
            prover,
            sinks: SinkBoard::default(),
            told: Told::default(),
            change_sources: Mutex::new(change_sources),
            task,
        }
    }

    /// The profile's name.
    pub const fn name(&self) -> &ProfileName {
        &self.name
    }

    /// What the profile's tokens are for.
    pub const fn purpose(&self) -> &Purpose {
        &self.purpose
    }

    /// Where a change of its credential shows.
    pub fn change_sources(&self) -> Vec<ChangeSource> {
        // Nothing panics while it is locked.
        let sources = self.change_sources.lock();
        sources.unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// What the files hold that its token is written to.
    pub const fn sinks(&self) -> &SinkBoard {
        &self.sinks
    }

    /// The last token, which may have expired.
    pub fn held(&self) -> Option<Arc<Held>> {
        self.view.borrow().held.clone()
    }

    /// Asks the keeper for an attempt without waiting for it. A full queue means that other callers have asked already.
    fn ask_and_leave(&self, ask: impl FnOnce(Done) -> Command) {
        let (done, _) = oneshot::channel();
        let _: Result<(), _> = self.commands.try_send(ask(done));
    }

    /// Asks the keeper to check whether the credential was replaced, and waits for that: at most as long as a read of
    /// the store may take.
    pub async fn recheck(&self) {
        const STORE: Duration = Duration::from_secs(3);
        let (done, looked) = oneshot::channel();
        let asked = async {
            if self.commands.send(Command::Recheck { done }).await.is_ok() {
                // A keeper that has ended has nothing to check.
                let _: Result<(), _> = looked.await;
            }
        };
        // The read goes on in the keeper, which takes up what it finds later.
        let _: Result<(), _> = tokio::time::timeout(STORE, asked).await;
    }

    /// Gives the profile another policy. Its token, its back-off and its rejections stay.
    pub async fn set_policy(&self, policy: Policy) {
        // A keeper that has ended needs none.
        let _: Result<(), _> = self.commands.send(Command::Policy(policy)).await;
    }

    /// Has the credential read from elsewhere. Its token stays; [`Handle::recheck`] tells whether the credential is another
    /// one there.
    pub async fn set_source(&self, source: Arc<dyn CredentialSource>) {
        let change_sources = source.change_sources();
        let sources = self.change_sources.lock();
        *sources.unwrap_or_else(PoisonError::into_inner) = change_sources;
        // A keeper that has ended needs none.
        let _: Result<(), _> = self.commands.send(Command::Source(NewSource(source))).await;
    }

    /// What a keeper that takes the place of this one begins with: the limit of its calls, and with `rejections` the
    /// credentials that the issuer rejected.
    pub async fn hand_over(&self, rejections: bool) -> Credentials {
        let (reply, answer) = oneshot::channel();
        let asked = Command::HandOver { rejections, reply };
        // A keeper that has ended has nothing to hand over.
        match self.commands.send(asked).await {
            Ok(()) => answer.await.unwrap_or_default(),
            Err(_) => Credentials::default(),
        }
    }

    /// Ends the keeper at once, even while callers wait on it. Call it when the profile was removed or another handle
    /// replaces this one, so that nothing more is sent to the old issuer.
    pub fn retire(&self) {
        self.task.abort();
        if let Some(lookups) = &self.lookups {
            lookups.retire();
        }
    }

    /// Tells the keeper that the clocks have jumped.
    pub async fn jumped(&self, jump: Jump) {
        // A keeper that has ended does not need it.
        let _: Result<(), _> = self.commands.send(Command::Jumped(jump)).await;
    }

    /// When a newer token can be expected, if that is known.
    pub fn next_refresh(&self) -> Option<BootInstant> {
        self.view.borrow().next_refresh()
    }

    /// Records that a client was told the real expiry of the token of this generation, since no refresh is sure to come in
    /// time for it. The log says so once, and the state for as long as the token is held.
    pub fn told_real_expiry(&self, generation: u64) {
        self.told.note(&self.name, generation);
    }

    /// The generation of the last token; before the first token, the number from which generations count on.
    pub fn generation(&self) -> u64 {
        self.view.borrow().generation
    }

    /// The limits on attempts for the profile's next life, which takes the place of this one now.
    pub fn pace(&self) -> Pace {
        let view = self.view.borrow();
        view.pace.handed_on(self.clock.now().boot, view.attempting)
    }

    /// Whether a valid token is held.
    pub fn is_ready(&self) -> bool {
        self.view.borrow().valid(self.clock.now().boot).is_some()
    }

    /// Why no valid token is held, if that is known: nothing is, while the first attempt runs.
    pub fn trouble(&self) -> Option<String> {
        self.view.borrow().trouble(self.clock.now().boot)
    }

    /// A receiver that changes whenever the profile does; it closes when the profile ends.
    pub fn follow(&self) -> watch::Receiver<View> {
        self.view.clone()
    }

    /// Records that the profile is watched. A watch counts as a request for tokens, future ones included.
    pub fn attend(&self) {
        self.asked.at(self.clock.now().boot);
        if self.view.borrow().resting {
            let min_valid = Duration::ZERO;
            self.ask_and_leave(|done| Command::Wanted { min_valid, done });
        }
    }

    /// The profile's state.
    pub fn state(&self) -> ProfileState {
        self.state_of(&self.view.borrow(), self.clock.now())
    }

    /// The profile's state according to this view.
    pub(super) fn state_of(&self, view: &View, now: Now) -> ProfileState {
        let requests = self.requests.load(Ordering::Relaxed);
        let queued_since = self.waiters.queued_since();
        ProfileState {
            reply: ProfileReply {
                real_expiry_told: self.told.is_real(view),
                queued_for: queued_since.map(|since| now.boot.since(since).as_secs()),
                sinks: self.sinks.all(),
                ..ProfileReply::new(&self.name, self.provider, view, requests, now)
            },
            lifetime: view.held.as_ref().map(|held| held.validity.lifetime),
            resting: view.resting,
            blocked: view.block.as_ref().map(|block| block.to_string().into()),
        }
    }
}

impl Drop for Handle {
    /// A profile that is gone from the configuration is no longer refreshed.
    fn drop(&mut self) {
        self.retire();
    }
}

#[cfg(test)]
mod tests;
