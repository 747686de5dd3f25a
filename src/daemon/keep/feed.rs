//! What happens to a profile, as one watcher is told of it: each new token and each change of state, never twice and
//! never out of order. Who reads slowly is told the newest only, since nothing is kept for anybody.

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

/// How long nothing may be said: after that a sign of life shows whether the other side is still there.
const QUIET: Duration = Duration::from_secs(15);

/// What a watcher is told next.
#[derive(Debug)]
pub enum Told {
    /// Something about the profile.
    News(News),
    /// The watch is over, for this reason.
    End(Problem),
}

/// One watch.
pub struct Feed {
    roster: Arc<Roster>,
    clock: Arc<dyn Clock>,
    caller: Caller,
    name: ProfileName,
    handle: Arc<Handle>,
    view: watch::Receiver<View>,
    /// The profiles: a reload decides every open watch anew.
    kept: watch::Receiver<Kept>,
    closing: watch::Receiver<bool>,
    /// The generation that was told last, here or before the watcher came back.
    generation: Option<u64>,
    shown: Option<Shown>,
}

/// What of a state is worth telling when it changes: not the counts, nor how the time goes by.
struct Shown {
    phase: Phase,
    generation: u64,
    expires: Option<BootInstant>,
    reported: bool,
    cooling_until: Option<BootInstant>,
    clock_steps: u64,
    blocked: Option<Arc<Block>>,
    last_fault: Option<Arc<LastFault>>,
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
    /// Begins to watch a profile for whoever was told of `generation` last.
    ///
    /// # Errors
    /// The [`Problem`] says why this caller may not.
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

    /// Waits for what is to be told next. Nothing is lost when the wait is given up.
    pub async fn next(&mut self) -> Told {
        let mut reloaded = self.kept.has_changed().unwrap_or(false);
        // It goes on while things change that are not told: who listens hears something in any case.
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
                // The roster is there as long as we are.
                _ = self.kept.changed() => Woken::Reloaded,
                changed = self.view.changed() => {
                    if changed.is_ok() { Woken::Changed } else { Woken::Gone }
                }
                () = quiet.as_mut() => Woken::Quiet,
            };
            match woken {
                Woken::Stopping | Woken::Changed => {}
                Woken::Reloaded => reloaded = true,
                // Its keeper ends after the roster has another in its place, which comes first above; so there is none.
                Woken::Gone => return Told::End(Problem::new(Code::UnknownProfile).of(&self.name)),
                Woken::Quiet => {
                    self.handle.attend();
                    return Told::News(News::Quiet);
                }
            }
        }
    }

    /// The time, as this watch is told it.
    pub fn now(&self) -> Now {
        self.clock.now()
    }

    /// After a reload: whether the profile is still there for this caller, and which one that is now.
    fn look_again(&mut self) -> Result<(), Problem> {
        drop(self.kept.borrow_and_update());
        let handle = self.roster.seen_by(&self.caller).get(&self.name).cloned()?;
        if !Arc::ptr_eq(&handle, &self.handle) {
            self.view = handle.follow();
            self.handle = handle;
        }
        Ok(())
    }

    /// What has not been told yet; the token comes before the state that it brings.
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
        Some(News::State(self.handle.state_of(&view, now).reply))
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
            blocked: view.block.clone(),
            last_fault: view.last_fault.clone(),
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
                s.clock_steps,
            )
        };
        let same_fault = match (&self.last_fault, &other.last_fault) {
            (Some(a), Some(b)) => Arc::ptr_eq(a, b),
            (None, None) => true,
            _ => false,
        };
        plain(self) == plain(other) && self.blocked == other.blocked && same_fault
    }
}

#[cfg(test)]
mod tests;
