//! Access to a profile for the rest of the daemon: its view, and the channel to its keeper.
//!
//! A held token is served from the view alone, without a message to the keeper.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::sync::{oneshot, watch};

use super::api_queries::ApiQueries;
use super::jumps::Jump;
use super::keeper::{
    Command, Keeper, KeeperParts, LastRequest, NewSource, Responder, SharedEnrolment,
};
use super::mailbox::{Sender, mailbox};
use super::sink_states::SinkStates;
use super::waiters::WaitCounts;
use crate::clock::Clock;
use crate::config::TokenPurpose;
use crate::instant::{BootInstant, Now};
use crate::lifecycle::credentials::Credentials;
use crate::lifecycle::{AttemptLimits, HeldToken, Policy, View};
use crate::profile::ProfileName;
use crate::query::ProfileState;
use crate::store::ChangeSource;
use crate::store::source::CredentialSource;
use crate::wire::ProfileReply;
use prover::Prover;
use real_expiry::RealExpiryLog;

mod doubted;
mod locked;
mod look_up;
mod prove;
mod prover;
mod real_expiry;
mod refresh;
mod reject;
mod superseded;
mod token;

pub use token::ServedToken;

/// Access to a profile: its published view, and the channel to its keeper.
pub struct Handle {
    name: ProfileName,
    provider: &'static str,
    purpose: TokenPurpose,
    view: watch::Receiver<View>,
    commands: Sender<Command>,
    clock: Arc<dyn Clock>,
    requests: AtomicU64,
    asked: Arc<LastRequest>,
    waiters: Arc<WaitCounts>,
    enrolled: SharedEnrolment,
    lookups: Option<Arc<ApiQueries>>,
    prover: Prover,
    sinks: SinkStates,
    told: RealExpiryLog,
    /// The places where a change of the credential can be noticed.
    change_sources: Mutex<Vec<ChangeSource>>,
    /// Whether its credential comes from a source that Jeton only reads.
    is_read_only: AtomicBool,
    task: tokio::task::AbortHandle,
}

// === impl Handle ===

impl Handle {
    /// Starts the keeper of a profile whose tokens are for `purpose`.
    pub fn spawn(parts: KeeperParts, provider: &'static str, purpose: TokenPurpose) -> Self {
        Self::spawn_after(Credentials::default(), parts, provider, purpose)
    }

    /// Starts a keeper in place of another one, with the credentials that the old one [handed over](Self::hand_over).
    pub fn spawn_after(
        credentials: Credentials,
        parts: KeeperParts,
        provider: &'static str,
        purpose: TokenPurpose,
    ) -> Self {
        let (commands, inbox) = mailbox();
        let (name, clock) = (parts.name.clone(), Arc::clone(&parts.clock));
        let waiters = Arc::<WaitCounts>::default();
        let change_sources = parts.source.change_sources();
        let is_read_only = AtomicBool::new(parts.source.is_read_only());
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
            sinks: SinkStates::default(),
            told: RealExpiryLog::default(),
            change_sources: Mutex::new(change_sources),
            is_read_only,
            task,
        }
    }

    /// Returns the profile's name.
    pub const fn name(&self) -> &ProfileName {
        &self.name
    }

    /// Returns the purpose of the profile's tokens.
    pub const fn purpose(&self) -> &TokenPurpose {
        &self.purpose
    }

    /// Returns the places where a change of the credential can be noticed.
    pub fn change_sources(&self) -> Vec<ChangeSource> {
        // A poisoned lock is harmless: no code panics while it holds the lock.
        let sources = self.change_sources.lock();
        sources.unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Returns the state of the files that the profile's token is written to.
    pub const fn sinks(&self) -> &SinkStates {
        &self.sinks
    }

    /// Returns the last token, which may have expired.
    pub fn held(&self) -> Option<Arc<HeldToken>> {
        self.view.borrow().held.clone()
    }

    /// Asks the keeper for an attempt without waiting for it. If the queue is full, other callers have asked already.
    fn ask_and_leave(&self, ask: impl FnOnce(Responder) -> Command) {
        let (done, _) = oneshot::channel();
        self.commands.try_send(ask(done));
    }

    /// Asks the keeper to check whether the credential was replaced. Waits for that as long as a read of the store may
    /// take.
    pub async fn recheck(&self) {
        self.reread(true).await;
    }

    /// Rechecks the credential; `runs` says whether that is a reason to run a command again.
    async fn reread(&self, runs: bool) {
        const STORE: Duration = Duration::from_secs(3);
        let (done, looked) = oneshot::channel();
        let asked = async {
            let recheck = Command::Recheck { runs, done };
            if self.commands.send(recheck).await.is_ok() {
                // A keeper that has ended has nothing to check.
                let _: Result<(), _> = looked.await;
            }
        };
        // On a timeout the keeper goes on reading, and uses the result later.
        let _: Result<(), _> = tokio::time::timeout(STORE, asked).await;
    }

    /// Replaces the profile's policy. The token, the back-off and the rejections stay.
    pub async fn set_policy(&self, policy: Policy) {
        // A keeper that has ended needs no policy.
        let _: Result<(), _> = self.commands.send(Command::Policy(policy)).await;
    }

    /// Replaces the source of the credential. The token stays. [`Handle::recheck`] finds out whether the new source has
    /// a different credential.
    pub async fn set_source(&self, source: Arc<dyn CredentialSource>) {
        let change_sources = source.change_sources();
        self.is_read_only
            .store(source.is_read_only(), Ordering::Relaxed);
        let sources = self.change_sources.lock();
        *sources.unwrap_or_else(PoisonError::into_inner) = change_sources;
        // A keeper that has ended needs no source.
        let _: Result<(), _> = self.commands.send(Command::Source(NewSource(source))).await;
    }

    /// Returns what the successor of this keeper starts with: the limit of its calls, and if `rejections` is set, the
    /// credentials that the issuer has rejected.
    pub async fn hand_over(&self, rejections: bool) -> Credentials {
        let (reply, answer) = oneshot::channel();
        let asked = Command::HandOver { rejections, reply };
        // A keeper that has ended has nothing to hand over.
        match self.commands.send(asked).await {
            Ok(()) => answer.await.unwrap_or_default(),
            Err(_) => Credentials::default(),
        }
    }

    /// Stops the keeper at once, even while callers wait for it. Call it when the profile was removed or another handle
    /// replaces this one: nothing more may be sent to the old issuer.
    pub fn retire(&self) {
        self.task.abort();
        if let Some(lookups) = &self.lookups {
            lookups.retire();
        }
    }

    /// Reports a jump of the clocks to the keeper.
    pub async fn jumped(&self, jump: Jump) {
        // A keeper that has ended does not need the report.
        let _: Result<(), _> = self.commands.send(Command::Jumped(jump)).await;
    }

    /// Returns when a newer token is expected, if that is known.
    pub fn next_refresh(&self) -> Option<BootInstant> {
        self.view.borrow().next_refresh()
    }

    /// Records that a client got the real expiry of the token of this generation, because a refresh in time is not
    /// certain. The log reports it once, and the profile's state as long as the token is held.
    pub fn note_real_expiry(&self, generation: u64) {
        self.told.note(&self.name, generation);
    }

    /// Returns the generation of the last token. Before the first token, it is the number from which generations count
    /// up.
    pub fn generation(&self) -> u64 {
        self.view.borrow().generation
    }

    /// Returns the limits on attempts for the handle that replaces this one now.
    pub fn pace(&self) -> AttemptLimits {
        let view = self.view.borrow();
        view.pace
            .for_successor(self.clock.now().boot, view.attempting)
    }

    /// Whether a valid token is held.
    pub fn is_ready(&self) -> bool {
        self.view.borrow().valid(self.clock.now().boot).is_some()
    }

    /// Returns why no valid token is held, if that is known. It is not known while the first attempt runs.
    pub fn trouble(&self) -> Option<String> {
        self.view.borrow().trouble(self.clock.now().boot)
    }

    /// Returns a receiver that is notified of each change of the profile. Its channel closes when the keeper ends.
    pub fn follow(&self) -> watch::Receiver<View> {
        self.view.clone()
    }

    /// Records that the profile is watched. A watch counts as a request for the current token and for all later ones.
    pub fn attend(&self) {
        self.asked.at(self.clock.now().boot);
        if self.view.borrow().resting {
            let min_valid = Duration::ZERO;
            self.ask_and_leave(|done| Command::TokenRequested { min_valid, done });
        }
    }

    /// Returns the profile's state.
    pub fn state(&self) -> ProfileState {
        self.state_of(&self.view.borrow(), self.clock.now())
    }

    /// Returns the profile's state according to this view.
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
    /// Stops the keeper, since a profile that was removed from the configuration must not be refreshed.
    fn drop(&mut self) {
        self.retire();
    }
}

#[cfg(test)]
mod tests;
