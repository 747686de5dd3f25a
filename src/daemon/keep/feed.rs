//! Event stream of one profile for one watcher: each new token and each change of state, once and in order. Events are
//! not queued, so a slow watcher gets only the newest state.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;

use super::handle::Handle;
use super::roster::{Roster, RosterSnapshot};
use crate::clock::Clock;
use crate::fault::Block;
use crate::instant::{BootInstant, Now};
use crate::lifecycle::{LastFault, Phase, View};
use crate::policy::Caller;
use crate::problem::{Code, Problem};
use crate::profile::ProfileName;
use crate::query::{Freshness, TokenAnswer, WatchEvent};

/// Longest silence on the stream. After it, a heartbeat tests whether the peer is still there.
const QUIET: Duration = Duration::from_secs(15);

/// The next item of a watch.
#[derive(Debug)]
pub enum FeedItem {
    /// An event or a heartbeat.
    News(WatchEvent),
    /// The watch has ended, for this reason.
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
    /// The profiles. Every open watch is checked again after a reload.
    kept: watch::Receiver<RosterSnapshot>,
    closing: watch::Receiver<bool>,
    /// The last generation that was sent, on this watch or before the watcher reconnected.
    generation: Option<u64>,
    shown: Option<ShownState>,
}

/// The parts of a state whose change is an event. A change of counts or of the time left is not an event.
struct ShownState {
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
    unusable: Option<Arc<str>>,
}

/// The event that ended a wait.
enum WakeUp {
    Stopping,
    Reloaded,
    Changed,
    /// The profile's keeper has ended.
    Gone,
    Quiet,
}

impl Feed {
    /// Opens the event stream of a profile. `generation` is that of the token which the watcher already has.
    ///
    /// # Errors
    /// The [`Problem`] says why this caller may not watch the profile.
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

    /// Waits for the next item. Cancelling the wait loses no event.
    pub async fn next(&mut self) -> FeedItem {
        let mut reloaded = self.kept.has_changed().unwrap_or(false);
        // A change that is not an event does not reset this timer, so that the watcher hears something within `QUIET`
        // in any case.
        let mut quiet = std::pin::pin!(tokio::time::sleep(QUIET));
        loop {
            if *self.closing.borrow() || self.closing.has_changed().is_err() {
                return FeedItem::End(
                    Problem::new(Code::Unavailable).with_detail("the daemon is stopping"),
                );
            }
            if std::mem::take(&mut reloaded)
                && let Err(problem) = self.look_again()
            {
                return FeedItem::End(problem);
            }
            if let Some(news) = self.news() {
                return FeedItem::News(news);
            }
            let woken = tokio::select! { biased;
                _ = self.closing.wait_for(|closing| *closing) => WakeUp::Stopping,
                // This feed holds the roster, so the sender still exists.
                _ = self.kept.changed() => WakeUp::Reloaded,
                changed = self.view.changed() => {
                    if changed.is_ok() { WakeUp::Changed } else { WakeUp::Gone }
                }
                () = quiet.as_mut() => WakeUp::Quiet,
            };
            match woken {
                WakeUp::Stopping | WakeUp::Changed => {}
                WakeUp::Reloaded => reloaded = true,
                // A keeper ends only after the roster has replaced or removed it. The branches are polled in order, so
                // a replaced keeper shows as a reload, and an ended view means that the profile was removed.
                WakeUp::Gone => {
                    return FeedItem::End(Problem::new(Code::UnknownProfile).of(&self.name));
                }
                WakeUp::Quiet => {
                    self.handle.attend();
                    return FeedItem::News(WatchEvent::Quiet);
                }
            }
        }
    }

    /// Returns how often the store has been locked since the profile started.
    pub fn locks(&self) -> u64 {
        self.view.borrow().locks
    }

    /// Whether the profile holds a token, valid or expired.
    pub fn holds_a_token(&self) -> bool {
        self.view.borrow().held.is_some()
    }

    /// Returns the current time on this watch's clock.
    pub fn now(&self) -> Now {
        self.clock.now()
    }

    /// Checks after a reload whether this caller may still watch the profile, and switches to the profile's current
    /// handle.
    fn look_again(&mut self) -> Result<(), Problem> {
        drop(self.kept.borrow_and_update());
        let handle = self.roster.seen_by(&self.caller).get(&self.name).cloned()?;
        if !Arc::ptr_eq(&handle, &self.handle) {
            self.view = handle.follow();
            self.handle = handle;
        }
        Ok(())
    }

    /// Returns the next event that was not sent yet. A token comes before the change of state that it causes.
    fn news(&mut self) -> Option<WatchEvent> {
        self.handle.attend();
        let now = self.clock.now();
        let view = self.view.borrow_and_update();
        if let Some(held) = view.valid(now.boot)
            && self.generation != Some(held.generation)
        {
            self.generation = Some(held.generation);
            return Some(WatchEvent::Token(TokenAnswer {
                profile: self.name.clone(),
                held: Arc::clone(held),
                freshness: if view.reported {
                    Freshness::Reported
                } else {
                    Freshness::Good
                },
            }));
        }
        let shown = ShownState::of(&view, now.boot);
        if self.shown.as_ref().is_some_and(|old| old.is(&shown)) {
            return None;
        }
        self.shown = Some(shown);
        Some(WatchEvent::State(Box::new(
            self.handle.state_of(&view, now).reply,
        )))
    }
}

// === impl Shown ===

impl ShownState {
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
            unusable: view.unusable.clone(),
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
            && self.unusable == other.unusable
            && same(&self.last_fault, &other.last_fault)
            && same(&self.rejected_successor, &other.rejected_successor)
    }
}

#[cfg(test)]
mod tests;
