//! State machine of one profile's token, without I/O: events in, effects out.
//!
//! The held token is separate from the current activity, so a refresh can never hide a valid token. Every attempt has a
//! number. The result of an attempt that is no longer the current one is dropped, for example after its credential was
//! replaced.

use std::sync::Arc;
use std::time::Duration;

use crate::fault::Block;
use crate::instant::{BootInstant, RemoteClock};
use crate::schedule::{self, Jitter, RejectionCount};
use crate::token::{DEFAULT_LIFETIME, Validity};

mod adopted;
mod begin;
pub mod credentials;
mod demand;
mod doubt;
mod ended;
mod event;
mod locked;
mod outage;
mod pace;
mod policy;
mod policy_change;
mod report;
mod supersede;
mod superseded;
mod view;

pub use event::{Effect, Event};
pub use outage::{OutageReport, OutageTracker};
pub use pace::AttemptLimits;
pub use policy::Policy;
pub use report::Reporter;
use report::Reports;
use superseded::Superseded;
pub use view::{HeldToken, LastFault, Phase, View};

/// Exclusive upper bound of generations, so that every JSON reader keeps them exact.
const GENERATION_END: u64 = 1 << 53;

/// Delay before a credential that could not be used is read again. This concerns only our own disk, not the issuer.
const BLOCKED_RETRY: Duration = Duration::from_secs(60);

/// State of one profile.
#[derive(Debug)]
pub struct Lifecycle {
    policy: Policy,
    held: Option<Arc<HeldToken>>,
    /// Whether the lifetime of the held token is assumed, because the issuer stated none.
    assumed: bool,
    /// The expiry that the held token itself contains. The token is not served after it, whatever the issuer states
    /// when it repeats the token.
    token_expiry: Option<BootInstant>,
    /// Whether the issuer stated a lifetime of zero for the held token.
    has_zero_lifetime: bool,
    /// Whether the issuer repeated the held token without extending it.
    repeated: bool,
    generation: u64,
    activity: Activity,
    attempt: u64,
    last_attempt: Option<BootInstant>,
    failing: u32,
    /// How often in a row the issuer has rejected the credential of the last attempt.
    rejections: RejectionCount,
    block: Option<Arc<Block>>,
    last_fault: Option<Arc<LastFault>>,
    pace: AttemptLimits,
    reports: Reports,
    superseded: Superseded,
    clock_steps: u64,
    locks: u64,
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
    /// An attempt is due but is made only when a caller asks. No timer is set.
    Resting,
}

// === impl Lifecycle ===

impl Lifecycle {
    /// Creates a profile that holds no token yet and fetches one at once. Generations count up from `generation`.
    pub fn new(now: BootInstant, generation: u64, policy: Policy) -> Self {
        Self {
            policy,
            held: None,
            assumed: false,
            token_expiry: None,
            has_zero_lifetime: false,
            repeated: false,
            generation: generation.min(GENERATION_END - 1),
            activity: Activity::Waiting { due: now },
            attempt: 0,
            last_attempt: None,
            failing: 0,
            rejections: RejectionCount::NONE,
            block: None,
            last_fault: None,
            pace: AttemptLimits::default(),
            reports: Reports::default(),
            superseded: Superseded::default(),
            clock_steps: 0,
            locks: 0,
            issuer_clock: None,
            refreshes: 0,
            failures: 0,
        }
    }

    /// Adopts the limits on attempts that the profile's previous keeper left.
    #[must_use]
    pub fn with_pace(mut self, now: BootInstant, pace: AttemptLimits) -> Self {
        self.pace = pace;
        self.activity = Activity::Waiting {
            due: self.allowed(now),
        };
        self
    }

    /// Returns when to send [`Event::Due`], or `None` while an attempt runs or the profile rests.
    pub fn next_wake(&self) -> Option<BootInstant> {
        match self.activity {
            Activity::Attempting | Activity::Resting => None,
            Activity::Waiting { due } => Some(due),
        }
    }

    /// Processes one event at the moment `now`.
    pub fn step(&mut self, now: BootInstant, jitter: Jitter, event: Event) -> Effect {
        if event.attempt().is_some_and(|it| !self.is_current(it)) {
            return Effect::None;
        }
        match event {
            Event::Due { asked } => self.due(now, asked),
            Event::Wanted { min_valid } => self.wanted(now, min_valid),
            Event::RefreshRequested | Event::Recheck => match self.activity {
                Activity::Attempting => Effect::None,
                _ if self.held_back(now).is_some() => Effect::None,
                Activity::Waiting { .. } | Activity::Resting => self.attempt(now),
            },
            Event::Reported {
                generation,
                reporter,
            } => self.reported(now, generation, reporter),
            Event::Superseded { at } => self.superseded(now, at),
            Event::Resumed { suspended } => self.resumed(now, suspended),
            Event::ClockSet => {
                self.clock_steps += 1;
                Effect::None
            }
            Event::Locked => self.locked(now),
            Event::PolicyChanged { policy } => self.policy_changed(now, jitter, policy),
            Event::CredentialChanged => self.credential_changed(now),
            Event::Fetched {
                sent, grant, date, ..
            } => {
                // An answer without a date does not discard the last date that was received.
                let clock = date.map(|date| RemoteClock::read(date, sent, now));
                self.issuer_clock = clock.or(self.issuer_clock);
                self.fetched(now, jitter, sent, grant)
            }
            Event::Adopted { sent, grant, date } => self.adopted(now, jitter, sent, grant, date),
            Event::Failed {
                fault, rejections, ..
            } => {
                self.rejections = rejections;
                self.failed(now, jitter, fault)
            }
            Event::Blocked { block, .. } => {
                self.block = Some(Arc::new(block));
                self.wait_until(now.after(BLOCKED_RETRY).max(self.allowed(now)))
            }
            Event::Withheld {
                rejections, until, ..
            } => {
                self.rejections = rejections;
                self.block = None;
                self.wait_until(until.max(self.allowed(now)))
            }
        }
    }

    /// Returns the view of this state for the rest of the daemon.
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
            reported: self.reports.is_of_held() || self.is_superseded(),
            cooling_until: self.reports.cooling_until(),
            pace: self.pace,
            reports: self.reports.count(),
            clock_steps: self.clock_steps,
            locks: self.locks,
            issuer_clock: self.issuer_clock,
            block: self.block.clone(),
            last_fault: self.last_fault.clone(),
            rejected_successor: None,
            unusable: None,
            refreshes: self.refreshes,
            failures: self.failures,
            failing: self.failing,
        }
    }

    fn is_current(&self, attempt: u64) -> bool {
        self.activity == Activity::Attempting && self.attempt == attempt
    }

    fn breaker_open(&self) -> bool {
        self.rejections.has_opened_breaker()
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
                    // The machine may have been suspended during the last attempt before the expiry.
                    self.attempt_when_allowed(now)
                }
            }
            _ => Effect::None,
        }
    }

    /// Whether the profile may rest. It never rests before its first token, however long that takes.
    fn may_rest(&self, now: BootInstant, asked: BootInstant) -> bool {
        // A stated lifetime of zero does not show how long callers keep the token.
        let lifetime = |held: &HeldToken| match self.has_zero_lifetime {
            true => DEFAULT_LIFETIME,
            false => held.validity.lifetime,
        };
        let held = self.held.as_deref();
        let is_superseded = self.is_superseded() && self.valid(now).is_some();
        !self.policy.keep_warm
            && !is_superseded
            && held.is_some_and(|held| schedule::is_unrequested(now, asked, lifetime(held)))
    }
}

#[cfg(test)]
mod tests;
