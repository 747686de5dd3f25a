//! Queries to an issuer's API that use the held token and are not token requests.
//!
//! A profile has one query at a time. Its answer is reused for all callers for a while, which bounds the load on the
//! issuer, however many callers there are.

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

/// Time limit of a query.
pub const LIMIT: Duration = Duration::from_secs(10);

/// How long an answer is reused for all callers. Failures are reused as well.
const KEPT: Duration = Duration::from_secs(5);

/// Shortest time between the starts of two queries of a profile. Without it, different questions could follow each
/// other at once, because answers are reused only for the same question.
const PACE: Duration = Duration::from_millis(500);

/// Longest wait that an issuer can impose.
const LONGEST_WAIT: Duration = Duration::from_secs(3_600);

/// A question to an issuer's API.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ApiQuestion {
    /// The keys of the API's users.
    Keys {
        /// The kind of key.
        kind: KeyKind,
        /// Whether to list the keys of all users.
        all: bool,
        /// A client ID whose key is also looked for, because an incomplete list may lack it.
        with: Option<String>,
    },
    /// The identity that the token belongs to.
    Identity,
}

/// The answer to a query.
#[derive(Clone)]
pub enum ApiAnswer {
    /// The keys.
    Keys(Arc<dyn KeyList>),
    /// The identity that the token belongs to.
    Identity(Arc<dyn Identity>),
}

/// The reason why a query failed.
#[derive(Debug, Clone)]
pub struct ApiFailure {
    /// The problem for the caller.
    pub problem: Problem,
    /// The wait that the issuer stated before the next call.
    pub retry_after: Option<Duration>,
}

/// A running query. Dropping it cancels its calls.
pub type ApiCall = Pin<Box<dyn Future<Output = Result<ApiAnswer, ApiFailure>> + Send>>;

/// The API of an issuer.
pub trait Api: Send + Sync {
    /// Returns the API's address. Profiles with equal sites have the same issuer.
    fn site(&self) -> &str;

    /// Asks a question with a token that was granted for this credential.
    fn look_up(&self, what: ApiQuestion, token: AccessToken, enrolment: Arc<Enrolment>) -> ApiCall;
}

/// The queries of one profile.
pub(super) struct ApiQueries {
    api: Arc<dyn Api>,
    clock: Arc<dyn Clock>,
    state: Mutex<State>,
}

type Answer = Result<ApiAnswer, Problem>;

#[derive(Default)]
struct State {
    /// The answers that may be reused, each with the moment at which that ends.
    answers: Vec<(ApiQuestion, Answer, BootInstant)>,
    running: Option<Running>,
    /// When the next query may begin.
    not_before: Option<BootInstant>,
    /// Until when the issuer refuses calls.
    held_back: Option<BootInstant>,
    is_retired: bool,
}

struct Running {
    done: watch::Receiver<()>,
    task: AbortHandle,
}

// === impl Lookups ===

impl ApiQueries {
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

    /// Returns an answer that may be reused, if there is one.
    pub(super) fn recent(&self, what: &ApiQuestion) -> Option<Answer> {
        self.lock().recent(what, self.clock.now().boot)
    }

    /// Returns an answer that may be reused, or else the answer of the next query. A caller that goes away cancels
    /// nothing.
    pub(super) async fn answer(
        self: &Arc<Self>,
        what: &ApiQuestion,
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

    /// Begins a query. The receiver is notified when the answer is there.
    fn begin(
        self: &Arc<Self>,
        state: &mut State,
        now: BootInstant,
        what: &ApiQuestion,
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
            // It may be that no connection waits for the answer any more.
            let _: Result<(), _> = end.send(());
            // A list may be large, so drop it when it may no longer be reused.
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

    /// Stores an answer, and returns until when it may be reused.
    fn take(&self, what: ApiQuestion, answer: Result<ApiAnswer, ApiFailure>) -> BootInstant {
        let now = self.clock.now();
        let until = now.boot.after(KEPT);
        let mut state = self.lock();
        state.running = None;
        let answer = answer.map_err(
            |ApiFailure {
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

    /// Cancels the running query and begins no more.
    pub(super) fn retire(&self) {
        let mut state = self.lock();
        state.is_retired = true;
        if let Some(running) = state.running.take() {
            running.task.abort();
        }
    }

    /// Cancels the running query and drops the answers, because the held token must not be used any more.
    pub(super) fn abandon(&self) {
        let mut state = self.lock();
        state.answers.clear();
        if let Some(running) = state.running.take() {
            running.task.abort();
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        // A poisoned lock is harmless: no code panics while it holds the lock.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

// === impl State ===

impl State {
    fn recent(&self, what: &ApiQuestion, now: BootInstant) -> Option<Answer> {
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
        .with_detail("no request was sent: the control plane asked for a wait")
        .until(Some(now.unix_of(until)))
}

fn late() -> ApiFailure {
    ApiFailure {
        problem: Problem::new(Code::Unavailable)
            .with_detail("the control plane has not answered within 10 s; try again later"),
        retry_after: None,
    }
}

/// Returns the problem of a caller whose query was cancelled because the profile changed.
fn lost() -> Problem {
    Problem::new(Code::Unavailable).with_detail("the profile has just changed; try again")
}

#[cfg(test)]
mod tests;
