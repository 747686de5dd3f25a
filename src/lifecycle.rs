//! The life of one profile's token as a state machine without I/O: events in, effects out.
//!
//! What is held is kept apart from what is being done, so a refresh can never hide a good token. Every attempt has a
//! number; the result of an attempt that is no longer the current one (its credential was replaced) is dropped.

use std::sync::Arc;
use std::time::Duration;

use crate::fault::Block;
use crate::instant::{BootInstant, RemoteClock};
use crate::schedule::{self, Reissue, Unit};
use crate::token::Validity;

pub mod credentials;
mod demand;
mod ended;
mod event;
mod report;
mod view;

pub use event::{Effect, Event};
use report::Reports;
pub use view::{Held, LastFault, Phase, View};

/// Generations stay below this, so that every JSON reader keeps them exact.
const GENERATION_END: u64 = 1 << 53;

/// How long to wait before the credential is looked for again when it could not be used: only our own disk is asked.
const BLOCKED_RETRY: Duration = Duration::from_secs(60);

/// What a profile's configuration says of its refreshes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Policy {
    /// Whether it is refreshed although nobody asks for it.
    pub keep_warm: bool,
    /// What the issuer does that is asked while its last token holds.
    pub reissue: Reissue,
}

/// One profile's state.
#[derive(Debug)]
pub struct Lifecycle {
    policy: Policy,
    held: Option<Arc<Held>>,
    /// Whether nobody told the lifetime of the token held, so that it is a guess.
    assumed: bool,
    /// Whether the issuer gave the token held again, with no later end.
    repeated: bool,
    generation: u64,
    activity: Activity,
    attempt: u64,
    last_attempt: Option<BootInstant>,
    failing: u32,
    /// How often in a row the issuer has rejected the credential of the last attempt.
    rejections: u32,
    block: Option<Arc<Block>>,
    last_fault: Option<Arc<LastFault>>,
    reports: Reports,
    clock_steps: u64,
    issuer_clock: Option<RemoteClock>,
    refreshes: u64,
    failures: u64,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Activity {
    Attempting,
    Waiting {
        due: BootInstant,
    },
    /// An attempt is due, and is made when somebody asks: whatever it had to wait for is over.
    Resting,
}

// === impl Lifecycle ===

impl Lifecycle {
    /// A profile that holds nothing yet and fetches at once; generations count on from `generation`.
    pub fn new(now: BootInstant, generation: u64, policy: Policy) -> Self {
        Self {
            policy,
            held: None,
            assumed: false,
            repeated: false,
            generation: generation.min(GENERATION_END - 1),
            activity: Activity::Waiting { due: now },
            attempt: 0,
            last_attempt: None,
            failing: 0,
            rejections: 0,
            block: None,
            last_fault: None,
            reports: Reports::default(),
            clock_steps: 0,
            issuer_clock: None,
            refreshes: 0,
            failures: 0,
        }
    }

    /// When [`Event::Due`] is to be sent; `None` while an attempt runs or the profile rests.
    pub fn next_wake(&self) -> Option<BootInstant> {
        match self.activity {
            Activity::Attempting | Activity::Resting => None,
            Activity::Waiting { due } => Some(due),
        }
    }

    /// Takes one event at the moment `now`.
    pub fn step(&mut self, now: BootInstant, jitter: Unit, event: Event) -> Effect {
        if event.attempt().is_some_and(|it| !self.is_current(it)) {
            return Effect::None;
        }
        match event {
            Event::Due { asked } => self.due(now, asked),
            Event::Wanted { min_valid } => self.wanted(now, min_valid),
            Event::RefreshRequested | Event::LookAgain => match self.activity {
                Activity::Attempting => Effect::None,
                Activity::Waiting { .. } | Activity::Resting => self.attempt(now),
            },
            Event::Reported { generation } => self.reported(now, generation),
            Event::Resumed { suspended } => self.resumed(now, suspended),
            Event::ClockSet => {
                self.clock_steps += 1;
                Effect::None
            }
            Event::CredentialChanged => {
                self.failing = 0;
                self.rejections = 0;
                self.block = None;
                self.attempt(now)
            }
            Event::Fetched {
                sent, grant, date, ..
            } => {
                // An answer without a date says nothing against the last one that had one.
                let clock = date.map(|date| RemoteClock::read(date, sent, now));
                self.issuer_clock = clock.or(self.issuer_clock);
                self.fetched(now, jitter, sent, grant)
            }
            Event::Failed {
                fault, rejections, ..
            } => {
                self.rejections = rejections;
                self.failed(now, jitter, fault)
            }
            Event::Blocked { block, .. } => {
                self.block = Some(Arc::new(block));
                self.wait_until(now.after(BLOCKED_RETRY))
            }
            Event::Withheld {
                rejections, until, ..
            } => {
                self.rejections = rejections;
                self.block = None;
                self.wait_until(until)
            }
        }
    }

    /// What others may see.
    pub fn view(&self) -> View {
        View {
            held: self.held.clone(),
            lapsed: false,
            generation: self.generation,
            attempting: self.activity == Activity::Attempting,
            resting: self.activity == Activity::Resting,
            repeated: self.repeated,
            next_attempt: self.next_wake(),
            rejected: self.breaker_open(),
            reported: self.reports.is_of_held(),
            cooling_until: self
                .held
                .as_ref()
                .and_then(|held| self.reports.cooling_until(held.validity.issued)),
            reports: self.reports.count(),
            clock_steps: self.clock_steps,
            issuer_clock: self.issuer_clock,
            block: self.block.clone(),
            last_fault: self.last_fault.clone(),
            refreshes: self.refreshes,
            failures: self.failures,
            failing: self.failing,
        }
    }

    fn is_current(&self, attempt: u64) -> bool {
        self.activity == Activity::Attempting && self.attempt == attempt
    }

    fn breaker_open(&self) -> bool {
        self.rejections >= 2
    }

    fn valid(&self, now: BootInstant) -> Option<&Validity> {
        self.held
            .as_ref()
            .map(|held| &held.validity)
            .filter(|validity| validity.holds(now))
    }

    fn attempt(&mut self, now: BootInstant) -> Effect {
        self.attempt += 1;
        self.last_attempt = Some(now);
        self.activity = Activity::Attempting;
        Effect::Fetch {
            attempt: self.attempt,
        }
    }

    fn wait_until(&mut self, due: BootInstant) -> Effect {
        self.activity = Activity::Waiting { due };
        Effect::None
    }

    fn due(&mut self, now: BootInstant, asked: BootInstant) -> Effect {
        match self.activity {
            Activity::Waiting { due } if due <= now => {
                if self.may_rest(now, asked) {
                    self.activity = Activity::Resting;
                    Effect::None
                } else {
                    self.attempt(now)
                }
            }
            _ => Effect::None,
        }
    }

    /// A profile that has had no token yet never rests: at the start one is fetched, however long that takes.
    fn may_rest(&self, now: BootInstant, asked: BootInstant) -> bool {
        !self.policy.keep_warm
            && self
                .held
                .as_ref()
                .is_some_and(|held| schedule::forgotten(now, asked, held.validity.lifetime))
    }

    /// An attempt that ran is made anew, for it would only find out by its deadline that nobody hears it; and the network
    /// that failed before is likely to be another one now, so that the back-off begins from the start. One that was overdue
    /// on waking runs before the suspend is noticed, and is not meant.
    fn resumed(&mut self, now: BootInstant, suspended: Duration) -> Effect {
        let ran = |started: BootInstant| now.since(started) >= suspended;
        match self.activity {
            Activity::Attempting if self.last_attempt.is_some_and(ran) => self.attempt(now),
            Activity::Waiting { due } if self.failing > 0 && self.rejections == 0 => {
                self.failing = 1;
                self.wait_until(due.min(schedule::demand_due(now, self.last_attempt)))
            }
            Activity::Attempting | Activity::Waiting { .. } | Activity::Resting => Effect::None,
        }
    }
}

#[cfg(test)]
mod tests;
