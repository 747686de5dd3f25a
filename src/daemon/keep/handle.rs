//! What the rest of the daemon holds of a profile: its view, and the way to its keeper.
//!
//! A held token is served from the view alone, without a word to the keeper.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use tokio::sync::{mpsc, oneshot, watch};

use super::jumps::Jump;
use super::keeper::{Asked, Command, Keeper, Parts};
use crate::clock::Clock;
use crate::config::Purpose;
use crate::instant::Now;
use crate::lifecycle::View;
use crate::profile::ProfileName;
use crate::query::ProfileState;
use crate::wire::ProfileReply;

mod refresh;
mod reject;
mod token;

pub use token::Served;

/// How many commands may wait for a keeper; a sender beyond them waits, inside its own deadline.
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
    task: tokio::task::AbortHandle,
}

// === impl Handle ===

impl Handle {
    /// Starts the keeper of a profile whose tokens are for this.
    pub fn spawn(parts: Parts, provider: &'static str, purpose: Purpose) -> Self {
        let (commands, inbox) = mpsc::channel(QUEUE);
        let (name, clock) = (parts.name.clone(), Arc::clone(&parts.clock));
        let (keeper, view, asked) = Keeper::new(parts, inbox);
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

    /// Has the keeper start an attempt, and does not wait for it; with a full queue others have asked already.
    fn ask_and_leave(&self, ask: impl FnOnce(oneshot::Sender<()>) -> Command) {
        let (done, _) = oneshot::channel();
        let _: Result<(), _> = self.commands.try_send(ask(done));
    }

    /// Has the keeper look whether the credential was replaced, and waits until it has looked: at most as long as a
    /// store may take.
    pub async fn recheck(&self) {
        const STORE: Duration = Duration::from_secs(3);
        let (done, looked) = oneshot::channel();
        let asked = async {
            if self.commands.send(Command::Recheck { done }).await.is_ok() {
                // A keeper that is gone has nothing to look at.
                let _: Result<(), _> = looked.await;
            }
        };
        // The read goes on in the keeper, which takes up what it finds later.
        let _: Result<(), _> = tokio::time::timeout(STORE, asked).await;
    }

    /// The profile is gone from the configuration, or starts anew by another handle: its keeper ends at once, whoever
    /// still waits here, so that nothing is sent any more to where it was sent before.
    pub fn retire(&self) {
        self.task.abort();
    }

    /// The clocks have jumped.
    pub async fn jumped(&self, jump: Jump) {
        // A keeper that is gone has no use for it.
        let _: Result<(), _> = self.commands.send(Command::Jumped(jump)).await;
    }

    /// The generation of the last token, or where counting starts.
    pub fn generation(&self) -> u64 {
        self.view.borrow().generation
    }

    /// Whether a valid token is held.
    pub fn is_ready(&self) -> bool {
        self.view.borrow().valid(self.clock.now().boot).is_some()
    }

    /// What changes whenever the profile does; it ends with the profile.
    pub fn follow(&self) -> watch::Receiver<View> {
        self.view.clone()
    }

    /// Somebody watches: that is asking for tokens, those to come as well.
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

    /// The profile's state as this view shows it.
    pub(super) fn state_of(&self, view: &View, now: Now) -> ProfileState {
        let requests = self.requests.load(Ordering::Relaxed);
        ProfileState {
            reply: ProfileReply::new(&self.name, self.provider, view, requests, now),
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
