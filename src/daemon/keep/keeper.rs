//! The task of one profile, the only owner of the profile's state. It feeds events to two state machines, executes their
//! decisions, and publishes the view. [`Lifecycle`] decides when to make an attempt, [`Credentials`] what it does.

use std::sync::Arc;

use tokio::sync::{oneshot, watch};
use tracing::Instrument;

use super::bulkhead::Compartment;
use super::mailbox::Receiver;
use super::waiters::WaitCounts;
use crate::clock::Clock;
use crate::instant::BootInstant;
use crate::lifecycle::credentials::{CallEnd, Credentials, Decision};
use crate::lifecycle::{AttemptLimits, Event, Lifecycle, Policy, View};
use crate::profile::ProfileName;
use crate::provider::{Provider, without_token};
use crate::schedule::Jitter;
use crate::store::source::{CredentialSource, Loaded, LoadedCredential};

mod changes;
mod command;
mod doubted;
mod enrolled;
mod execute;
mod found;
mod last_request;
mod locked;
mod log;
mod logged;
mod refresh;
mod shown;
mod superseded;
mod waits;

pub(super) use command::{Adopted, Command, CommandResult, NewSource, RefreshRefused, Responder};
pub(super) use enrolled::SharedEnrolment;
pub(super) use last_request::LastRequest;
use logged::LoggedStates;
use waits::{Running, RunningStep, StepResult, alarm, ended, rechecked};

/// The inputs of a keeper.
pub struct KeeperParts {
    /// The profile's name.
    pub name: ProfileName,
    /// Source of the credential.
    pub source: Arc<dyn CredentialSource>,
    /// The issuer.
    pub provider: Arc<dyn Provider>,
    /// The clock.
    pub clock: Arc<dyn Clock>,
    /// Source of jitter: returns a new random number at each call.
    pub jitter: fn() -> Jitter,
    /// The refresh policy from the configuration.
    pub policy: Policy,
    /// The issuer's concurrency limit.
    pub compartment: Compartment,
    /// Lower bound of the generations: each new one of this keeper is larger.
    pub generation: u64,
    /// The limits on attempts, as left by the profile's previous keeper.
    pub pace: AttemptLimits,
}

pub(super) struct Keeper {
    parts: KeeperParts,
    lifecycle: Lifecycle,
    credentials: Credentials,
    /// The loaded credentials that may still be sent: the stored one, the former one while it may have to stay in use,
    /// and during a rotation the record's other key.
    loaded: Vec<LoadedCredential>,
    /// The stored credential without its secret, for the rest of the daemon.
    enrolled: SharedEnrolment,
    /// The running step of the current attempt.
    work: Option<RunningStep>,
    /// A read of the store outside an attempt, and the callers that wait for it.
    recheck: Option<Running<Loaded>>,
    waiting: Vec<oneshot::Sender<()>>,
    /// Callers that asked during the read. They wait for the next one, because this one may have begun before the
    /// change that they announce.
    waiting_for_next: Vec<oneshot::Sender<()>>,
    /// Whether that read is a reason to run a command again.
    next_runs: bool,
    refreshes: Vec<BootInstant>,
    /// The last generation that was refreshed because a client seemed to distrust it.
    doubted: Option<u64>,
    logged: LoggedStates,
    asked: Arc<LastRequest>,
    waiters: Arc<WaitCounts>,
    commands: Receiver<Command>,
    view: watch::Sender<View>,
}

/// The event that ended a wait of the keeper.
enum WakeUp {
    Command(Option<Command>),
    Ended(u64, StepResult),
    Rechecked(Loaded),
    Alarm,
}

// === impl Keeper ===

impl Keeper {
    pub(super) fn new(
        parts: KeeperParts,
        credentials: Credentials,
        commands: Receiver<Command>,
        waiters: Arc<WaitCounts>,
    ) -> (Self, watch::Receiver<View>, Arc<LastRequest>) {
        let now = parts.clock.now();
        let generation = u64::try_from(now.unix.since_epoch().as_millis()).unwrap_or(u64::MAX);
        let generation = generation.max(parts.generation);
        let lifecycle = Lifecycle::new(now.boot, generation, parts.policy);
        let lifecycle = lifecycle.with_pace(now.boot, parts.pace);
        let (view, seen) = watch::channel(lifecycle.view());
        let asked = Arc::new(LastRequest::never());
        asked.at(now.boot);
        let credentials = credentials.in_two_places(parts.source.is_in_two_places());
        let keeper = Self {
            parts,
            lifecycle,
            credentials,
            loaded: vec![],
            enrolled: SharedEnrolment::default(),
            work: None,
            recheck: None,
            waiting: vec![],
            waiting_for_next: vec![],
            next_runs: false,
            refreshes: vec![],
            doubted: None,
            logged: LoggedStates::default(),
            asked: Arc::clone(&asked),
            waiters,
            commands,
            view,
        };
        (keeper, seen, asked)
    }

    /// Runs until every handle is dropped.
    #[expect(
        clippy::manual_async_fn,
        reason = "an async fn would move its argument into the future a second time: 1.2 KB more per profile"
    )]
    pub(super) fn run(mut self) -> impl Future<Output = ()> + Send {
        async move {
            let span = tracing::error_span!("profile", profile = %self.parts.name);
            self.keep().instrument(span).await;
        }
    }

    async fn keep(&mut self) {
        let clock = Arc::clone(&self.parts.clock);
        loop {
            let wake = self.wake();
            // Due work comes before commands, so that callers cannot delay it, however many there are.
            let woken = tokio::select! { biased;
                (attempt, end) = ended(&mut self.work) => WakeUp::Ended(attempt, end),
                loaded = rechecked(&mut self.recheck) => WakeUp::Rechecked(loaded),
                () = alarm(clock.as_ref(), wake) => WakeUp::Alarm,
                command = self.commands.recv() => WakeUp::Command(command),
            };
            let mut heard = None;
            let mut looked = vec![];
            match woken {
                WakeUp::Command(None) => return,
                WakeUp::Command(Some(command)) => heard = self.command(command),
                WakeUp::Ended(attempt, end) => self.ended(attempt, end),
                WakeUp::Rechecked(loaded) => {
                    looked.append(&mut self.waiting);
                    self.rechecked(loaded);
                    self.waiting.append(&mut self.waiting_for_next);
                    if !self.waiting.is_empty() {
                        let runs = std::mem::take(&mut self.next_runs);
                        self.recheck(runs);
                    }
                }
                WakeUp::Alarm => {
                    self.tell(Event::Due {
                        asked: self.asked.last(),
                    });
                    let now = self.now();
                    if self.credentials.next_look().is_some_and(|at| at <= now) {
                        self.execute(Decision::Recheck);
                    }
                }
            }
            self.forget_unneeded();
            self.log_rest();
            self.log_outage();
            self.log_former();
            self.publish();
            // The caller may have gone away. That cancels nothing.
            if let Some((done, heard)) = heard {
                let _: Result<(), CommandResult> = done.send(heard);
            }
            for done in looked {
                let _: Result<(), ()> = done.send(());
            }
        }
    }

    /// Handles a command. Returns the caller to answer once the view shows the result, if there is one.
    fn command(&mut self, command: Command) -> Option<(Responder, CommandResult)> {
        match command {
            Command::TokenRequested { min_valid, done } => {
                self.tell(Event::Wanted { min_valid });
                Some((done, CommandResult::default()))
            }
            Command::Reported {
                generation,
                reporter,
                done,
            } => {
                let before = self.lifecycle.view();
                self.tell(Event::Reported {
                    generation,
                    reporter,
                });
                self.log_report(&before, reporter);
                let cooling_until = self.lifecycle.cooling_of(reporter);
                Some((done, CommandResult { cooling_until }))
            }
            Command::Superseded { at, done } => Some((done, self.superseded(at))),
            Command::Adopt { token, done } => {
                let Adopted { sent, grant, date } = *token;
                self.tell(Event::Adopted { sent, grant, date });
                Some((done, CommandResult::default()))
            }
            Command::TokenDoubted { generation, done } => {
                self.doubted(generation);
                Some((done, CommandResult::default()))
            }
            Command::Refresh { reply } => {
                let _: Result<(), _> = reply.send(self.refresh());
                None
            }
            Command::Jumped(jump) => {
                if jump.stepped.is_some() {
                    self.tell(Event::ClockSet);
                }
                if let Some(suspended) = jump.suspended {
                    self.tell(Event::Resumed { suspended });
                }
                None
            }
            Command::Policy(policy) => {
                self.take_up(policy);
                None
            }
            Command::Source(NewSource(source)) => {
                let is_in_two = source.is_in_two_places();
                self.credentials = std::mem::take(&mut self.credentials).in_two_places(is_in_two);
                self.parts.source = source;
                None
            }
            Command::Lock { done } => Some((done, self.lock())),
            Command::HandOver { rejections, reply } => {
                self.hand_over(rejections, reply);
                None
            }
            Command::Recheck { runs, done } if self.recheck.is_some() => {
                self.next_runs |= runs;
                self.waiting_for_next.push(done);
                None
            }
            Command::Recheck { runs, done } => {
                self.waiting.push(done);
                self.recheck(runs);
                None
            }
        }
    }

    fn ended(&mut self, attempt: u64, end: StepResult) {
        self.work = None;
        let now = self.now();
        let decision = match end {
            StepResult::Loaded(loaded) => self.loaded(attempt, loaded),
            StepResult::Called(mut end) => {
                if let (CallEnd::Failed { fault, .. }, Some(held)) =
                    (&mut end, self.lifecycle.view().held)
                {
                    without_token(fault, &held.token);
                }
                self.credentials.answered(now, attempt, end)
            }
        };
        self.execute(decision);
    }

    fn now(&self) -> BootInstant {
        self.parts.clock.now().boot
    }

    fn tell(&mut self, event: Event) {
        self.execute(Decision::Pass(event));
    }
}
