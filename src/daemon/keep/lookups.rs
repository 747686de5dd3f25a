//! Look-ups: calls of an issuer's API with the token that is held, beside the attempts to get one.
//!
//! A profile has one look-up at a time, and its answer serves all callers for a while: no number of callers has the
//! issuer asked more often than that.

use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::watch;
use tokio::task::AbortHandle;
use tokio::time::timeout;
use tracing::{Instrument as _, debug};

use crate::clock::Clock;
use crate::credential::Enrolment;
use crate::instant::{BootInstant, Now};
use crate::problem::{Code, Problem};
use crate::query::{Identity, KeyKind, KeyList};
use crate::token::AccessToken;

/// How long a look-up may take.
pub const LIMIT: Duration = Duration::from_secs(10);

/// How long an answer serves all callers, a failure included.
const KEPT: Duration = Duration::from_secs(5);

/// The shortest time between the beginnings of two look-ups of a profile: different questions have answers of their own.
const PACE: Duration = Duration::from_millis(500);

/// The longest wait that an issuer can impose.
const LONGEST_WAIT: Duration = Duration::from_secs(3_600);

/// What is looked up.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum LookUp {
    /// Keys.
    Keys {
        /// Which.
        kind: KeyKind,
        /// Those of every user.
        all: bool,
        /// Also the key of this client ID, which an incomplete list may lack.
        with: Option<String>,
    },
    /// Whose the token is.
    Identity,
}

/// What was found.
#[derive(Clone)]
pub enum Facts {
    /// Keys.
    Keys(Arc<dyn KeyList>),
    /// Whose the token is.
    Identity(Arc<dyn Identity>),
}

/// Why nothing was found.
#[derive(Debug, Clone)]
pub struct NoFacts {
    /// For the caller.
    pub problem: Problem,
    /// How long the issuer says to wait before the next call.
    pub retry_after: Option<Duration>,
}

/// A look-up that is under way. Dropping it abandons its calls.
pub type LookingUp = Pin<Box<dyn Future<Output = Result<Facts, NoFacts>> + Send>>;

/// The API of an issuer.
pub trait Api: Send + Sync {
    /// Where it is: profiles with equal sites have the same issuer.
    fn site(&self) -> &str;

    /// Looks this up with a token that was granted for this credential.
    fn look_up(&self, what: LookUp, token: AccessToken, enrolment: Arc<Enrolment>) -> LookingUp;
}

/// The look-ups of one profile.
pub(super) struct Lookups {
    api: Arc<dyn Api>,
    clock: Arc<dyn Clock>,
    state: Mutex<State>,
}

type Answer = Result<Facts, Problem>;

#[derive(Default)]
struct State {
    /// The answers that still serve, each with its end.
    answers: Vec<(LookUp, Answer, BootInstant)>,
    running: Option<Running>,
    /// When the next look-up may begin.
    not_before: Option<BootInstant>,
    /// Until when the issuer wants no call.
    held_back: Option<BootInstant>,
    is_retired: bool,
}

struct Running {
    done: watch::Receiver<()>,
    task: AbortHandle,
}

// === impl Lookups ===

impl Lookups {
    pub(super) fn new(api: Arc<dyn Api>, clock: Arc<dyn Clock>) -> Arc<Self> {
        Arc::new(Self {
            api,
            clock,
            state: Mutex::default(),
        })
    }

    pub(super) fn site(&self) -> &str {
        self.api.site()
    }

    /// The answer that serves now, if there is one.
    pub(super) fn recent(&self, what: &LookUp) -> Option<Answer> {
        self.lock().recent(what, self.clock.now().boot)
    }

    /// The answer that serves now, else that of the next look-up. A caller that goes away cancels nothing.
    pub(super) async fn answer(
        self: &Arc<Self>,
        what: &LookUp,
        token: &AccessToken,
        enrolment: &Arc<Enrolment>,
    ) -> Answer {
        loop {
            let mut done = {
                let mut state = self.lock();
                let now = self.clock.now();
                if let Some(answer) = state.recent(what, now.boot) {
                    return answer;
                }
                if let Some(until) = state.held_back.filter(|until| *until > now.boot) {
                    return Err(held_back(until, now));
                }
                if state.is_retired {
                    return Err(lost());
                }
                match &state.running {
                    Some(running) => running.done.clone(),
                    None => self.begin(&mut state, now.boot, what, token, enrolment),
                }
            };
            if done.changed().await.is_err() {
                return Err(lost());
            }
        }
    }

    /// Begins a look-up. The receiver changes when its answer is there.
    fn begin(
        self: &Arc<Self>,
        state: &mut State,
        now: BootInstant,
        what: &LookUp,
        token: &AccessToken,
        enrolment: &Arc<Enrolment>,
    ) -> watch::Receiver<()> {
        let begin = state.not_before.unwrap_or(now).max(now);
        state.not_before = Some(begin.after(PACE));
        let (end, done) = watch::channel(());
        let (lookups, what) = (Arc::clone(self), what.clone());
        let looking = self
            .api
            .look_up(what.clone(), token.share(), Arc::clone(enrolment));
        let task = async move {
            if begin > now {
                lookups.clock.sleep_until(begin).await;
            }
            debug!(?what, "look-up starts");
            let answer = timeout(LIMIT, looking).await;
            let answer = answer.unwrap_or_else(|_| Err(late()));
            debug!(failed = answer.is_err(), "look-up ends");
            let until = lookups.take(what, answer);
            // No connection may wait.
            let _: Result<(), _> = end.send(());
            // A list may be large, so it is not kept longer than it serves.
            lookups.clock.sleep_until(until).await;
            lookups.lock().forget(until);
        };
        let task = tokio::spawn(task.in_current_span()).abort_handle();
        state.running = Some(Running {
            done: done.clone(),
            task,
        });
        done
    }

    /// Takes an answer, and returns until when it serves.
    fn take(&self, what: LookUp, answer: Result<Facts, NoFacts>) -> BootInstant {
        let now = self.clock.now();
        let until = now.boot.after(KEPT);
        let mut state = self.lock();
        state.running = None;
        let answer = answer.map_err(
            |NoFacts {
                 problem,
                 retry_after,
             }| {
                let wait = retry_after.map(|wait| now.boot.after(wait.min(LONGEST_WAIT)));
                state.held_back = wait.or(state.held_back);
                problem.until(wait.map(|until| now.unix_of(until)))
            },
        );
        state.answers.push((what, answer, until));
        until
    }

    /// Ends the look-up that runs, and begins no other.
    pub(super) fn retire(&self) {
        let mut state = self.lock();
        state.is_retired = true;
        if let Some(running) = state.running.take() {
            running.task.abort();
        }
    }

    /// Abandons the look-up that runs, which carries a token that is to be forgotten.
    pub(super) fn abandon(&self) {
        let mut state = self.lock();
        state.answers.clear();
        if let Some(running) = state.running.take() {
            running.task.abort();
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        // Nothing panics while it is locked.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

// === impl State ===

impl State {
    fn recent(&self, what: &LookUp, now: BootInstant) -> Option<Answer> {
        let mut answers = self.answers.iter().rev();
        let found = answers.find(|(of, _, until)| of == what && *until > now);
        found.map(|(_, answer, _)| answer.clone())
    }

    fn forget(&mut self, now: BootInstant) {
        self.answers.retain(|(_, _, until)| *until > now);
    }
}

fn held_back(until: BootInstant, now: Now) -> Problem {
    Problem::new(Code::Unavailable)
        .with_detail("nothing is asked: the control plane has said how long to wait")
        .until(Some(now.unix_of(until)))
}

fn late() -> NoFacts {
    NoFacts {
        problem: Problem::new(Code::Unavailable)
            .with_detail("the control plane has not answered within 10 s; try again later"),
        retry_after: None,
    }
}

/// The problem of a caller whose look-up was abandoned, since the profile has changed.
fn lost() -> Problem {
    Problem::new(Code::Unavailable).with_detail("the profile has just changed; try again")
}

#[cfg(test)]
mod tests;
