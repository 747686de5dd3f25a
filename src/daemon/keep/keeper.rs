//! One task a profile: it alone owns the profile's state. It feeds the lifecycle with what happens, starts the attempts
//! that the lifecycle asks for, and publishes what others may see.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{mpsc, oneshot, watch};
use tracing::{Instrument, debug, info};

use super::attempt::{self, End};
use super::bulkhead::Compartment;
use super::jumps::Jump;
use crate::clock::Clock;
use crate::credential::Credential;
use crate::instant::BootInstant;
use crate::lifecycle::{Effect, Event, Lifecycle, Policy, View};
use crate::profile::ProfileName;
use crate::provider::Provider;
use crate::schedule::{self, Unit};
use crate::store::source::{CredentialSource, Loaded, NotLoaded};

mod asked;
mod log;
mod refusal;
mod waits;

pub(super) use asked::Asked;
pub(super) use refusal::RefreshRefusal;
use waits::{Running, alarm, landing, rechecked};

/// What a keeper is asked.
#[derive(Debug)]
pub(super) enum Command {
    /// A caller waits for a token.
    Wanted {
        min_valid: Duration,
        /// Answered when the lifecycle has taken it and the view shows what came of it.
        done: oneshot::Sender<()>,
    },
    /// Somebody says that the token of this generation was rejected.
    Reported {
        generation: u64,
        /// As above.
        done: oneshot::Sender<()>,
    },
    /// A person wants a new token. Answered with the count of refreshes before it, or why not and until when.
    Refresh {
        reply: oneshot::Sender<Result<u64, RefreshRefusal>>,
    },
    /// The clocks have jumped.
    Jumped(Jump),
    /// The credential may have been replaced. Answered when the store has been looked at.
    Recheck { done: oneshot::Sender<()> },
}

/// What a keeper works with.
pub struct Parts {
    /// The profile.
    pub name: ProfileName,
    /// Its credential.
    pub source: Arc<dyn CredentialSource>,
    /// Its issuer.
    pub provider: Arc<dyn Provider>,
    /// The time.
    pub clock: Arc<dyn Clock>,
    /// The jitter: a fresh random number at each call.
    pub jitter: fn() -> Unit,
    /// What its configuration says of its refreshes.
    pub policy: Policy,
    /// The places for attempts at its issuer.
    pub compartment: Compartment,
    /// Its generations are larger than this one.
    pub generation: u64,
}

pub(super) struct Keeper {
    parts: Parts,
    lifecycle: Lifecycle,
    credential: Option<Arc<Credential>>,
    /// The credential that the attempt which runs asks with, once it has one.
    aboard: Option<watch::Receiver<Option<Arc<Credential>>>>,
    /// The credential that the issuer rejected last: it is not sent again before its probe is due.
    bad: Option<Arc<Credential>>,
    /// How often in a row the issuer rejected the credential of the last attempt.
    rejections: u32,
    refreshes: Vec<BootInstant>,
    /// Whether it was told that the issuer gives the same token until it expires.
    told_repeated: bool,
    /// Whether it was told that the issuer's clock and this machine's are far apart.
    told_skew: bool,
    /// Why the credential could not be read, as logged last.
    told_unreadable: Option<String>,
    asked: Arc<Asked>,
    commands: mpsc::Receiver<Command>,
    view: watch::Sender<View>,
}

/// What ended a wait of the keeper.
enum Woken {
    Command(Option<Command>),
    Landed(u64, End),
    Rechecked(Loaded),
    Alarm,
}

// === impl Keeper ===

impl Keeper {
    pub(super) fn new(
        parts: Parts,
        commands: mpsc::Receiver<Command>,
    ) -> (Self, watch::Receiver<View>, Arc<Asked>) {
        let now = parts.clock.now();
        let generation = u64::try_from(now.unix.since_epoch().as_millis()).unwrap_or(u64::MAX);
        let generation = generation.max(parts.generation);
        let lifecycle = Lifecycle::new(now.boot, generation, parts.policy);
        let (view, seen) = watch::channel(lifecycle.view());
        let asked = Arc::new(Asked::never());
        asked.at(now.boot);
        let keeper = Self {
            parts,
            lifecycle,
            credential: None,
            aboard: None,
            bad: None,
            rejections: 0,
            refreshes: vec![],
            told_repeated: false,
            told_skew: false,
            told_unreadable: None,
            asked: Arc::clone(&asked),
            commands,
            view,
        };
        (keeper, seen, asked)
    }

    /// Runs until every handle is gone.
    pub(super) async fn run(mut self) {
        let span = tracing::error_span!("profile", profile = %self.parts.name);
        self.work().instrument(span).await;
    }

    async fn work(&mut self) {
        let clock = Arc::clone(&self.parts.clock);
        let mut flight: Option<(u64, Running<End>)> = None;
        let mut recheck: Option<Running<Loaded>> = None;
        let mut waiting: Vec<oneshot::Sender<()>> = vec![];
        loop {
            let wake = self.wake();
            // What is due comes first: however many ask, they cannot put it off.
            let woken = tokio::select! { biased;
                (attempt, end) = landing(&mut flight) => Woken::Landed(attempt, end),
                loaded = rechecked(&mut recheck) => Woken::Rechecked(loaded),
                () = alarm(clock.as_ref(), wake) => Woken::Alarm,
                command = self.commands.recv() => Woken::Command(command),
            };
            let mut done = vec![];
            let effect = match woken {
                Woken::Command(None) => return,
                Woken::Command(Some(Command::Wanted {
                    min_valid,
                    done: ack,
                })) => {
                    done.push(ack);
                    self.step(Event::Wanted { min_valid })
                }
                Woken::Command(Some(Command::Reported {
                    generation,
                    done: ack,
                })) => {
                    done.push(ack);
                    self.reported(generation)
                }
                Woken::Command(Some(Command::Refresh { reply })) => {
                    self.refresh(reply, &mut recheck)
                }
                Woken::Command(Some(Command::Jumped(jump))) => self.jumped(jump),
                Woken::Command(Some(Command::Recheck { done })) => {
                    waiting.push(done);
                    recheck = Some(self.load());
                    Effect::None
                }
                Woken::Landed(attempt, end) => {
                    flight = None;
                    self.landed(attempt, end)
                }
                Woken::Rechecked(loaded) => {
                    recheck = None;
                    done.append(&mut waiting);
                    self.rechecked(loaded)
                }
                Woken::Alarm => self.step(Event::Due {
                    asked: self.asked.last(),
                }),
            };
            self.log_rest();
            if let Effect::Fetch { attempt } = effect {
                flight = Some((attempt, self.take_off(attempt)));
            }
            self.publish();
            for done in done {
                // The caller may have gone away; that cancels nothing.
                let _: Result<(), ()> = done.send(());
            }
        }
    }

    /// When there is something to do or to show: an attempt is due, or the token held ends.
    fn wake(&self) -> Option<BootInstant> {
        let shown = self.view.borrow();
        let lapse = shown.held.as_ref().filter(|_| !shown.lapsed);
        let lapse = lapse.map(|held| held.validity.expires);
        self.lifecycle.next_wake().into_iter().chain(lapse).min()
    }

    fn step(&mut self, event: Event) -> Effect {
        let now = self.parts.clock.now().boot;
        self.lifecycle.step(now, (self.parts.jitter)(), event)
    }

    /// Starts an attempt in a task of its own: a caller that goes away cancels nothing, and a slow issuer keeps this
    /// task from nothing.
    fn take_off(&mut self, attempt: u64) -> Running<End> {
        let now = self.parts.clock.now().boot;
        let view = self.lifecycle.view();
        let limit = schedule::attempt_limit(now, view.held.as_ref().map(|held| &held.validity));
        debug!(attempt, ?limit, "attempt starts");
        let (aboard, shown) = watch::channel(None);
        self.aboard = Some(shown);
        let flight = attempt::fly(
            Arc::clone(&self.parts.source),
            Arc::clone(&self.parts.provider),
            Arc::clone(&self.parts.clock),
            self.parts.compartment.clone(),
            self.credential.clone(),
            aboard,
            limit,
        );
        Running::start(flight.in_current_span())
    }

    fn load(&self) -> Running<Loaded> {
        let source = Arc::clone(&self.parts.source);
        Running::start(async move { source.load().await })
    }

    fn landed(&mut self, attempt: u64, end: End) -> Effect {
        self.aboard = None;
        let event = match end {
            End::Granted {
                credential,
                sent,
                grant,
                date,
            } => {
                self.credential = Some(credential);
                self.bad = None;
                self.rejections = 0;
                Event::Fetched {
                    attempt,
                    sent,
                    grant,
                    date,
                }
            }
            End::Failed { credential, fault } => {
                let was_bad = self.bad.as_ref().map(|bad| **bad == *credential);
                // A store with another credential at every look would never open the breaker; real ones are not so.
                let row = self.rejections * u32::from(was_bad != Some(false));
                self.rejections = row.saturating_add(u32::from(fault.kind.is_permanent()));
                // What was rejected stays so when the issuer cannot be reached afterwards: nobody said anything else of it.
                let bad = fault.kind.is_permanent() || was_bad == Some(true);
                self.bad = bad.then(|| Arc::clone(&credential));
                // After a rejection the next attempt looks in the store again.
                self.credential = (!bad).then_some(credential);
                Event::Failed {
                    attempt,
                    fault,
                    rejections: self.rejections,
                }
            }
            End::NotLoaded(why) => {
                self.credential = None;
                match why {
                    NotLoaded::Blocked(block) => Event::Blocked { attempt, block },
                    NotLoaded::Failed(fault) => Event::Failed {
                        attempt,
                        fault,
                        rejections: self.rejections,
                    },
                }
            }
        };
        let before = self.lifecycle.view();
        let effect = self.step(event);
        self.log(&before);
        self.log_skew();
        effect
    }

    fn refresh(
        &mut self,
        reply: oneshot::Sender<Result<u64, RefreshRefusal>>,
        recheck: &mut Option<Running<Loaded>>,
    ) -> Effect {
        let now = self.parts.clock.now().boot;
        self.asked.at(now);
        let view = self.lifecycle.view();
        let (answer, effect) = if view.rejected || self.bad.is_some() {
            // The bad secret is not sent again before its probe, but a new one in the store is taken up at once.
            *recheck = Some(self.load());
            let probe = view.next_attempt;
            (Err(RefreshRefusal::Rejected { probe }), Effect::None)
        } else if let Err(until) = schedule::refresh_budget(now, &self.refreshes) {
            (Err(RefreshRefusal::OverBudget { until }), Effect::None)
        } else {
            self.refreshes.push(now);
            let old = self
                .refreshes
                .len()
                .saturating_sub(schedule::REFRESH_BUDGET);
            self.refreshes.drain(..old);
            (Ok(view.refreshes), self.step(Event::RefreshRequested))
        };
        // The caller may have gone away; that cancels nothing.
        let _: Result<(), _> = reply.send(answer);
        effect
    }

    fn reported(&mut self, generation: u64) -> Effect {
        let before = self.lifecycle.view();
        let effect = self.step(Event::Reported { generation });
        self.log_report(&before);
        effect
    }

    fn jumped(&mut self, jump: Jump) -> Effect {
        let set = jump.stepped.map(|_| self.step(Event::ClockSet));
        let resumed = jump
            .suspended
            .map(|suspended| self.step(Event::Resumed { suspended }));
        self.log_skew();
        resumed.or(set).unwrap_or(Effect::None)
    }

    fn replaced(&mut self) -> Effect {
        self.rejections = 0;
        self.step(Event::CredentialChanged)
    }

    fn rechecked(&mut self, loaded: Loaded) -> Effect {
        // What runs without a credential yet may be about to find the old one; it has sent nothing, and is made anew.
        let aboard = self.aboard.as_ref().and_then(|it| it.borrow().clone());
        // What runs with one will tell what it is worth; what only waits, since it could not ask, may be able to now.
        let is_stuck = aboard.is_none() && self.lifecycle.view().block.is_some();
        let known = [&aboard, &self.credential, &self.bad];
        let known: Vec<_> = known.into_iter().flatten().cloned().collect();
        self.log_unreadable(&loaded, is_stuck);
        match loaded {
            Ok(new) if known.contains(&new) => {
                if is_stuck && self.bad.as_ref() != Some(&new) {
                    self.replaced()
                } else {
                    Effect::None
                }
            }
            Ok(new) => {
                if !known.is_empty() {
                    info!("the credential was replaced");
                }
                self.credential = Some(new);
                self.bad = None;
                self.replaced()
            }
            // A profile that cannot ask says the reason of today, and not that of its last try.
            Err(_) if is_stuck => self.step(Event::LookAgain),
            Err(_) => Effect::None,
        }
    }

    /// Shows others what has changed, and wakes nobody for nothing: who waits asks again when woken, so that two of them
    /// would wake each other without end.
    fn publish(&self) {
        let now = self.parts.clock.now().boot;
        self.view.send_if_modified(|shown| {
            let mut view = self.lifecycle.view();
            view.lapsed = view.held.is_some() && view.valid(now).is_none();
            let news = !view.is(shown);
            if news {
                *shown = view;
            }
            news
        });
    }
}
