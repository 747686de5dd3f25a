//! Limits how many attempts to get a token run at once. The limit per issuer keeps an issuer that hangs from delaying
//! the profiles of others. The overall limit keeps a daemon with a thousand profiles from opening a thousand
//! connections. Both limits grow while attempts wait for healthy issuers (see `queue`).

use std::collections::HashMap;
use std::pin::pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::oneshot;
use tracing::info;

use super::queue::{self, CallSlot, Outcome, Queue, Rank, Ticket};
use super::wait_logs::{QUIET, WaitLogs, WaitStatus};
use super::waiters::WaitCounts;
use crate::clock::Clock;
use crate::instant::BootInstant;

/// Maximum number of attempts over all issuers.
pub(crate) const IN_ALL: usize = queue::MOST_IN_ALL;

/// An attempt that waits longer than this for its permit is logged.
const NOTICED_AFTER: Duration = Duration::from_secs(1);

/// Concurrency limits for attempts: one for each issuer, and one for all.
#[derive(Debug)]
pub struct Bulkhead(Arc<Mutex<State>>);

/// Concurrency limit for one issuer, shared by all of its profiles.
#[derive(Debug, Clone)]
pub struct Compartment {
    site: Arc<str>,
    state: Arc<Mutex<State>>,
}

#[derive(Debug)]
struct State {
    queue: Queue,
    /// The senders through which waiting attempts receive their permits.
    waiting: HashMap<Ticket, Waiting>,
    /// The issuers at which attempts wait or waited a short while ago, for the log.
    crowds: WaitLogs,
}

#[derive(Debug)]
struct Waiting {
    since: BootInstant,
    clock: DebugClock,
    permit: oneshot::Sender<Permit>,
}

/// Permission for one call. Dropping it releases the permit.
#[derive(Debug)]
pub(super) struct Permit {
    /// `None` once the permit is released.
    place: Option<CallSlot>,
    clock: DebugClock,
    state: Arc<Mutex<State>>,
}

/// A clock in a wrapper that has a `Debug` implementation.
#[derive(Clone)]
struct DebugClock(Arc<dyn Clock>);

/// A waiting attempt. Dropping it gives up its turn.
struct QueuedAttempt<'a> {
    compartment: &'a Compartment,
    ticket: Ticket,
    permit: oneshot::Receiver<Permit>,
}

// === impl Bulkhead ===

impl Default for Bulkhead {
    fn default() -> Self {
        Self::new(IN_ALL)
    }
}

impl Bulkhead {
    /// Creates limits that allow at most `in_all` attempts over all issuers, however much they grow.
    pub fn new(in_all: usize) -> Self {
        Self(Arc::new(Mutex::new(State {
            queue: Queue::new(in_all),
            waiting: HashMap::new(),
            crowds: WaitLogs::default(),
        })))
    }

    /// Returns the limit of the issuer at `origin`, shared by all of its profiles.
    pub fn compartment(&self, origin: &str) -> Compartment {
        Compartment {
            site: origin.into(),
            state: Arc::clone(&self.0),
        }
    }
}

/// Locks the state, poisoned or not: no code under the lock can panic.
fn lock(state: &Mutex<State>) -> MutexGuard<'_, State> {
    state.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Gives the free permits to the attempts that are next. Call it whenever a permit may have become free.
fn admit(state: &Arc<Mutex<State>>, now: BootInstant) {
    let mut given = vec![];
    {
        let mut locked = lock(state);
        let State {
            queue,
            waiting,
            crowds,
        } = &mut *locked;
        while let Some(place) = queue.next(now) {
            let Some(turn) = waiting.remove(&place.ticket) else {
                continue;
            };
            crowds.waited(&place.site, now.since(turn.since));
            given.push((place, turn));
        }
    }
    // Send outside the lock: if the attempt was dropped meanwhile, its permit is dropped here and takes the lock.
    for (place, turn) in given {
        let permit = Permit {
            place: Some(place),
            clock: turn.clock,
            state: Arc::clone(state),
        };
        drop(turn.permit.send(permit));
    }
}

// === impl Compartment ===

impl Compartment {
    /// Waits for a permit. `held_until` is the expiry of the profile's held token. Attempts are served by rank, and a
    /// rank changes when the first caller starts to wait or the last one leaves.
    pub(super) async fn enter(
        &self,
        clock: &Arc<dyn Clock>,
        held_until: Option<BootInstant>,
        waiters: &WaitCounts,
    ) -> Permit {
        let mut changed = pin!(waiters.changed());
        let since = clock.now().boot;
        let _queued = waiters.queued(since);
        let mut noticed = false;
        let mut long = pin!(tokio::time::sleep(NOTICED_AFTER));
        loop {
            let wanted = waiters.is_wanted();
            let mut turn = self.turn(clock, Rank { wanted, held_until });
            loop {
                tokio::select! { biased;
                    permit = &mut turn.permit => match permit {
                        Ok(permit) => return permit,
                        // Unreachable: the state drops a sender only after the turn itself was dropped.
                        Err(_) => break,
                    },
                    () = &mut changed => {
                        changed.set(waiters.changed());
                        let wanted = waiters.is_wanted();
                        let rank = Rank { wanted, held_until };
                        lock(&self.state).queue.rank(&self.site, turn.ticket, rank);
                    }
                    () = &mut long, if !noticed => {
                        noticed = true;
                        self.notice(clock);
                    }
                }
            }
        }
    }

    /// Queues an attempt of this rank. It may get its permit at once.
    fn turn(&self, clock: &Arc<dyn Clock>, rank: Rank) -> QueuedAttempt<'_> {
        let (sender, permit) = oneshot::channel();
        let since = clock.now().boot;
        let ticket = {
            let mut state = lock(&self.state);
            let ticket = state.queue.join(&self.site, rank);
            let waiting = Waiting {
                since,
                clock: DebugClock(Arc::clone(clock)),
                permit: sender,
            };
            state.waiting.insert(ticket, waiting);
            ticket
        };
        let turn = QueuedAttempt {
            compartment: self,
            ticket,
            permit,
        };
        admit(&self.state, since);
        turn
    }

    /// Logs that attempts wait at this issuer, unless that has been logged since the last quiet period.
    fn notice(&self, clock: &Arc<dyn Clock>) {
        let now = clock.now().boot;
        let (waiting, limit) = {
            let mut state = lock(&self.state);
            if !state.crowds.note_wait(&self.site, NOTICED_AFTER, now) {
                return;
            }
            (
                state.queue.waiting(&self.site),
                state.queue.limit(&self.site),
            )
        };
        info!(issuer = %self.site, waiting, limit, "profiles wait for their turn at this issuer");
        tokio::spawn(self.clone().over(Arc::clone(clock)));
    }

    /// Waits until no attempt waits at this issuer any more, and logs that.
    async fn over(self, clock: Arc<dyn Clock>) {
        loop {
            tokio::time::sleep(QUIET).await;
            let now = clock.now().boot;
            let mut state = lock(&self.state);
            // A waiting attempt is counted once, when its wait becomes long. Later only the queue shows that it still
            // waits.
            let is_waiting = state.queue.waiting(&self.site) > 0;
            let still = state.crowds.take_if_over(&self.site, is_waiting, now);
            drop(state);
            let (attempts, longest) = match still {
                WaitStatus::Waiting => continue,
                WaitStatus::Unknown => return,
                WaitStatus::Over { attempts, longest } => (attempts, longest.as_secs()),
            };
            info!(issuer = %self.site, attempts, longest, "profiles no longer wait for their turn at this issuer");
            return;
        }
    }
}

// === impl Permit ===

impl Permit {
    /// Marks the call as slower than a healthy issuer's.
    pub(super) fn slow(&self) {
        if let Some(place) = &self.place {
            lock(&self.state).queue.slow(place);
        }
    }

    /// Releases the permit. `has_token` says whether the call brought a token or failed.
    pub(super) fn end(mut self, has_token: bool) {
        self.release(if has_token {
            Outcome::Healthy
        } else {
            Outcome::Failed
        });
    }

    fn release(&mut self, outcome: Outcome) {
        let Some(place) = self.place.take() else {
            return;
        };
        lock(&self.state).queue.end(&place, outcome);
        admit(&self.state, self.clock.0.now().boot);
    }
}

impl Drop for Permit {
    fn drop(&mut self) {
        self.release(Outcome::Dropped);
    }
}

// === impl Turn ===

impl Drop for QueuedAttempt<'_> {
    fn drop(&mut self) {
        let Compartment { site, state } = self.compartment;
        let mut state = lock(state);
        state.queue.leave(site, self.ticket);
        drop(state.waiting.remove(&self.ticket));
    }
}

// === impl Shared ===

impl std::fmt::Debug for DebugClock {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Shared").finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests;
