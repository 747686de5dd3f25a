//! Limits how many attempts to get a token run at once. The limit per issuer keeps an issuer that hangs from delaying
//! the profiles of others. The limit in all keeps a daemon with a thousand profiles from opening a thousand
//! connections. Both grow while healthy issuers are what attempts wait for (`queue`).

use std::collections::HashMap;
use std::pin::pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::oneshot;
use tracing::info;

use super::crowds::{Crowds, QUIET, Still};
use super::queue::{self, Outcome, Place, Queue, Rank, Ticket};
use super::waiters::Waiters;
use crate::clock::Clock;
use crate::instant::BootInstant;

/// The maximum of attempts in all.
pub(crate) const IN_ALL: usize = queue::MOST_IN_ALL;

/// How long an attempt waits for its place before the log says so.
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
    /// Where the attempts that wait receive their permits.
    waiting: HashMap<Ticket, Waiting>,
    /// The issuers at which attempts wait, or have waited a short while ago, as the log says.
    crowds: Crowds,
}

#[derive(Debug)]
struct Waiting {
    since: BootInstant,
    clock: Shared,
    permit: oneshot::Sender<Permit>,
}

/// Permission for one call; dropping it releases the permit.
#[derive(Debug)]
pub(super) struct Permit {
    /// `None` once it is released.
    place: Option<Place>,
    clock: Shared,
    state: Arc<Mutex<State>>,
}

/// A clock, without a `Debug` of its own.
#[derive(Clone)]
struct Shared(Arc<dyn Clock>);

/// An attempt that waits; dropping it gives up its turn.
struct Turn<'a> {
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
    /// Limits all attempts together to `in_all`, however much the limits grow.
    pub fn new(in_all: usize) -> Self {
        Self(Arc::new(Mutex::new(State {
            queue: Queue::new(in_all),
            waiting: HashMap::new(),
            crowds: Crowds::default(),
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

/// Nothing under the lock can panic.
fn lock(state: &Mutex<State>) -> MutexGuard<'_, State> {
    state.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Gives the free places to the attempts that are next. Call it whenever one may be free.
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
    // Not under the lock: the attempt may have been dropped meanwhile, and then so is the permit, which takes the lock.
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
    /// Waits for a permit for a profile whose token is held until `held_until`. Attempts are served in the order of their
    /// ranks, which change with the number of `callers` that wait.
    pub(super) async fn enter(
        &self,
        clock: &Arc<dyn Clock>,
        held_until: Option<BootInstant>,
        waiters: &Waiters,
    ) -> Permit {
        let mut callers = waiters.follow();
        let since = clock.now().boot;
        let _queued = waiters.queued(since);
        let mut noticed = false;
        let mut long = pin!(tokio::time::sleep(NOTICED_AFTER));
        loop {
            let wanted = *callers.borrow_and_update() > 0;
            let mut turn = self.turn(clock, Rank { wanted, held_until });
            loop {
                tokio::select! { biased;
                    permit = &mut turn.permit => match permit {
                        Ok(permit) => return permit,
                        // It is never given up by the other side.
                        Err(_) => break,
                    },
                    Ok(()) = callers.changed() => {
                        let wanted = *callers.borrow_and_update() > 0;
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

    /// Queues an attempt of this rank, which may be given its permit at once.
    fn turn(&self, clock: &Arc<dyn Clock>, rank: Rank) -> Turn<'_> {
        let (sender, permit) = oneshot::channel();
        let since = clock.now().boot;
        let ticket = {
            let mut state = lock(&self.state);
            let ticket = state.queue.join(&self.site, rank);
            let waiting = Waiting {
                since,
                clock: Shared(Arc::clone(clock)),
                permit: sender,
            };
            state.waiting.insert(ticket, waiting);
            ticket
        };
        let turn = Turn {
            compartment: self,
            ticket,
            permit,
        };
        admit(&self.state, since);
        turn
    }

    /// Logs that attempts wait at this issuer, once until none has waited for a while.
    fn notice(&self, clock: &Arc<dyn Clock>) {
        let now = clock.now().boot;
        let (waiting, limit) = {
            let mut state = lock(&self.state);
            if !state.crowds.came(&self.site, NOTICED_AFTER, now) {
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

    /// Logs that attempts no longer wait at this issuer, once that is so.
    async fn over(self, clock: Arc<dyn Clock>) {
        loop {
            tokio::time::sleep(QUIET).await;
            let now = clock.now().boot;
            let mut state = lock(&self.state);
            // One that waits still has been noticed once, however long ago that was.
            let is_waiting = state.queue.waiting(&self.site) > 0;
            let still = state.crowds.over(&self.site, is_waiting, now);
            drop(state);
            let (attempts, longest) = match still {
                Still::Waiting => continue,
                Still::Unknown => return,
                Still::Over { attempts, longest } => (attempts, longest.as_secs()),
            };
            info!(issuer = %self.site, attempts, longest, "profiles no longer wait for their turn at this issuer");
            return;
        }
    }
}

// === impl Permit ===

impl Permit {
    /// Says that the call takes longer than a healthy issuer does.
    pub(super) fn slow(&self) {
        if let Some(place) = &self.place {
            lock(&self.state).queue.slow(place);
        }
    }

    /// Says that the call has brought a token, or has failed, and releases the permit.
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

impl Drop for Turn<'_> {
    fn drop(&mut self) {
        let Compartment { site, state } = self.compartment;
        let mut state = lock(state);
        state.queue.leave(site, self.ticket);
        drop(state.waiting.remove(&self.ticket));
    }
}

// === impl Shared ===

impl std::fmt::Debug for Shared {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Shared").finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests;
