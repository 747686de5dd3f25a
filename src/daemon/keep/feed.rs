//! Event stream of one profile for one watcher: each new token and each change of state, once and in order. A watcher
//! that reads slowly gets only the newest state, since no events are queued.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;

use super::handle::Handle;
use super::roster::{Kept, Roster};
use crate::clock::Clock;
use crate::fault::Block;
use crate::instant::{BootInstant, Now};
use crate::lifecycle::{LastFault, Phase, View};
use crate::policy::Caller;
use crate::problem::{Code, Problem};
use crate::profile::ProfileName;
use crate::query::{Freshness, News, TokenAnswer};

/// How long the stream may be silent. After that, a heartbeat shows whether the other side is still there.
const QUIET: Duration = Duration::from_secs(15);

/// The next item of a watch.
#[derive(Debug)]
pub enum Told {
    /// An event or a heartbeat.
    News(News),
    /// The watch is over, for this reason.
    End(Problem),
}

/// The event stream of one profile for one watcher.
pub struct Feed {
    roster: Arc<Roster>,
    clock: Arc<dyn Clock>,
    caller: Caller,
    name: ProfileName,
    handle: Arc<Handle>,
    view: watch::Receiver<View>,
    /// The profiles. After a reload, every open watch is checked again.
    kept: watch::Receiver<Kept>,
    closing: watch::Receiver<bool>,
    /// The generation that was sent last, on this watch or on the one before the watcher reconnected.
    generation: Option<u64>,
    shown: Option<Shown>,
}

/// The parts of a state whose change is an event. Counts and the passing of time are not.
struct Shown {
    phase: Phase,
    generation: u64,
    expires: Option<BootInstant>,
    reported: bool,
    cooling_until: Option<BootInstant>,
    clock_steps: u64,
    locks: u64,
    blocked: Option<Arc<Block>>,
    last_fault: Option<Arc<LastFault>>,
    rejected_successor: Option<Arc<LastFault>>,
}

/// What ended a wait.
enum Woken {
    Stopping,
    Reloaded,
    Changed,
    /// The profile is no longer kept.
    Gone,
    Quiet,
}

impl Feed {
    /// Begins to watch a profile, for a watcher that already has the token of `generation`.
    ///
    /// # Errors
    /// The [`Problem`] says why this caller may not watch it.
    pub fn open(
        roster: &Arc<Roster>,
        clock: &Arc<dyn Clock>,
        closing: &watch::Receiver<bool>,
        caller: &Caller,
        name: Option<&ProfileName>,
        generation: Option<u64>,
    ) -> Result<Self, Problem> {
        let kept = roster.follow();
        let handle = roster.seen_by(caller).pick(name).cloned()?;
        Ok(Self {
            roster: Arc::clone(roster),
            clock: Arc::clone(clock),
            caller: caller.clone(),
            name: handle.name().clone(),
            view: handle.follow(),
            handle,
            kept,
            closing: closing.clone(),
            generation,
            shown: None,
        })
    }

    /// Waits for the next item. Cancelling the wait loses nothing.
    pub async fn next(&mut self) -> Told {
        let mut reloaded = self.kept.has_changed().unwrap_or(false);
        // Changes that are no event do not reset this timer, so that the watcher hears something in any case.
        let mut quiet = std::pin::pin!(tokio::time::sleep(QUIET));
        loop {
            if *self.closing.borrow() || self.closing.has_changed().is_err() {
                return Told::End(
                    Problem::new(Code::Unavailable).with_detail("the daemon is stopping"),
                );
            }
            if std::mem::take(&mut reloaded)
                && let Err(problem) = self.look_again()
            {
                return Told::End(problem);
            }
            if let Some(news) = self.news() {
                return Told::News(news);
            }
            let woken = tokio::select! { biased;
                _ = self.closing.wait_for(|closing| *closing) => Woken::Stopping,
                // This feed holds the roster, so the sender still exists.
                _ = self.kept.changed() => Woken::Reloaded,
                changed = self.view.changed() => {
                    if changed.is_ok() { Woken::Changed } else { Woken::Gone }
                }
                () = quiet.as_mut() => Woken::Quiet,
            };
            match woken {
                Woken::Stopping | Woken::Changed => {}
                Woken::Reloaded => reloaded = true,
                // A keeper ends only after the roster has replaced or removed it, and the branches are polled in order.
                // So a replaced keeper ends the wait as a reload, and this profile is gone.
                Woken::Gone => return Told::End(Problem::new(Code::UnknownProfile).of(&self.name)),
                Woken::Quiet => {
                    self.handle.attend();
                    return Told::News(News::Quiet);
                }
            }
        }
    }

    /// How often the store was locked while the profile lived.
    pub fn locks(&self) -> u64 {
        self.view.borrow().locks
    }

    /// Whether the profile holds a token, be it valid or not.
    pub fn holds_a_token(&self) -> bool {
        self.view.borrow().held.is_some()
    }

    /// Returns the current time by this watch's clock.
    pub fn now(&self) -> Now {
        self.clock.now()
    }

    /// Checks after a reload whether this caller may still watch the profile, and follows the handle that has it now.
    fn look_again(&mut self) -> Result<(), Problem> {
        drop(self.kept.borrow_and_update());
        let handle = self.roster.seen_by(&self.caller).get(&self.name).cloned()?;
        if !Arc::ptr_eq(&handle, &self.handle) {
            self.view = handle.follow();
            self.handle = handle;
        }
        Ok(())
    }

    /// Returns the next event that was not sent yet. A token comes before the state that it brings.
    fn news(&mut self) -> Option<News> {
        self.handle.attend();
        let now = self.clock.now();
        let view = self.view.borrow_and_update();
        if let Some(held) = view.valid(now.boot)
            && self.generation != Some(held.generation)
        {
            self.generation = Some(held.generation);
            return Some(News::Token(TokenAnswer {
                profile: self.name.clone(),
                held: Arc::clone(held),
                freshness: if view.reported {
                    Freshness::Reported
                } else {
                    Freshness::Good
                },
            }));
        }
        let shown = Shown::of(&view, now.boot);
        if self.shown.as_ref().is_some_and(|old| old.is(&shown)) {
            return None;
        }
        self.shown = Some(shown);
        Some(News::State(Box::new(
            self.handle.state_of(&view, now).reply,
        )))
    }
}

// === impl Shown ===

impl Shown {
    fn of(view: &View, now: BootInstant) -> Self {
        Self {
            phase: view.phase(now),
            generation: view.generation,
            expires: view.held.as_ref().map(|held| held.validity.expires),
            reported: view.reported,
            cooling_until: view.cooling_until,
            clock_steps: view.clock_steps,
            locks: view.locks,
            blocked: view.block.clone(),
            last_fault: view.last_fault.clone(),
            rejected_successor: view.rejected_successor.clone(),
        }
    }

    fn is(&self, other: &Self) -> bool {
        let plain = |s: &Self| {
            (
                s.phase,
                s.generation,
                s.expires,
                s.reported,
                s.cooling_until,
                (s.clock_steps, s.locks),
            )
        };
        let same = |a: &Option<Arc<_>>, b: &Option<Arc<_>>| match (a, b) {
            (Some(a), Some(b)) => Arc::ptr_eq(a, b),
            (None, None) => true,
            _ => false,
        };
        plain(self) == plain(other)
            && self.blocked == other.blocked
            && same(&self.last_fault, &other.last_fault)
            && same(&self.rejected_successor, &other.rejected_successor)
    }
}

#[cfg(test)]
mod tests;
