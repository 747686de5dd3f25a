//! Serves a token to a caller, immediately or after a wait.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use tokio::sync::{oneshot, watch};

use super::super::keeper::{Command, Responder};
use super::super::wait_limit::WaitLimit;
use super::Handle;
use crate::fault::Block;
use crate::instant::{BootInstant, Now};
use crate::lifecycle::{HeldToken, View};
use crate::problem::{Code, EarlyEnd, Problem};
use crate::query::Freshness;
use crate::schedule;

/// A token as served to a caller.
#[derive(Debug)]
pub struct ServedToken {
    /// The token.
    pub held: Arc<HeldToken>,
    /// Whether the token meets the caller's request.
    pub freshness: Freshness,
    /// The moment at which the token was found to be valid.
    pub at: Now,
}

/// What a waiting caller can expect.
enum Outlook {
    /// The view already meets the request.
    Good,
    /// An attempt is running.
    Attempt,
    /// The next attempt is due before the deadline.
    Later,
    /// No attempt is due before the deadline, unless a request to the keeper makes one due.
    Unreachable(Option<EarlyEnd>),
}

/// Delay after which a caller should ask again if its wait was cut short and the next attempt is not scheduled yet.
const ASK_AGAIN: Duration = Duration::from_secs(1);

impl Handle {
    /// Returns a token with at least `min_valid` left (clamped to half its lifetime), and waits at most `max_wait` for
    /// it. After that it returns whatever valid token is held.
    ///
    /// # Errors
    /// The [`Problem`] says why no valid token is held, and when the next attempt is due.
    pub async fn token(
        &self,
        min_valid: Duration,
        max_wait: impl Into<WaitLimit>,
    ) -> Result<ServedToken, Problem> {
        match self.at_once(min_valid) {
            Some(served) => Ok(served),
            None => self.in_time(min_valid, max_wait.into()).await,
        }
    }

    /// Notes that a caller asks, and returns the held token if it has at least `min_valid` left (clamped to half its
    /// lifetime). If it returns `None`, call [`Self::in_time`] next, which then counts the request.
    pub fn at_once(&self, min_valid: Duration) -> Option<ServedToken> {
        let now = self.clock.now();
        self.asked.at(now.boot);
        let view = self.view.borrow();
        let served = served(&view, now, min_valid)?;
        if served.freshness == Freshness::Short {
            return None;
        }
        if view.resting {
            self.ask_and_leave(|done| Command::TokenRequested { min_valid, done });
        }
        self.requests.fetch_add(1, Ordering::Relaxed);
        Some(served)
    }

    /// Waits at most `max_wait` for a token after [`Self::at_once`] returned `None`. After that it returns whatever
    /// valid token is held.
    ///
    /// # Errors
    /// As [`Handle::token`].
    pub async fn in_time(
        &self,
        min_valid: Duration,
        max_wait: WaitLimit,
    ) -> Result<ServedToken, Problem> {
        self.requests.fetch_add(1, Ordering::Relaxed);
        let limit = {
            let view = self.view.borrow();
            let held = view.held.as_ref().map(|held| &held.validity);
            schedule::capped_wait(self.clock.now().boot, held, max_wait.limit())
        };
        let early = self
            .wait(
                &max_wait.limited_to(limit),
                |done| Command::TokenRequested { min_valid, done },
                |view, now| is_long(view, now, min_valid),
            )
            .await;
        self.judge(min_valid)
            .map_err(|problem| self.early(problem, early))
    }

    /// Waits at most `max_wait` until the view meets the request, or until it cannot do so before the deadline. Asks
    /// the keeper whenever no attempt runs, even if `max_wait` is zero. Returns why the wait ended early, if it did.
    pub(super) async fn wait(
        &self,
        max_wait: &WaitLimit,
        ask: impl Fn(Responder) -> Command,
        good: impl Fn(&View, BootInstant) -> bool,
    ) -> Option<EarlyEnd> {
        let limit = max_wait.limit();
        if limit.is_zero() {
            self.ask_and_leave(ask);
            return None;
        }
        // A waiting caller raises the rank of an attempt that waits for its turn.
        let _waits = self.waiters.wait();
        // The calling function judges the view, whether the wait succeeded or timed out.
        let wait = max_wait.run(self.wait_on(limit, ask, good));
        wait.await.unwrap_or_else(|early| early)
    }

    /// Completes the problem of a caller whose wait ended early. Its `max_wait` has not passed, and it may ask again.
    pub(super) fn early(&self, mut problem: Problem, early: Option<EarlyEnd>) -> Problem {
        if early == Some(EarlyEnd::SlotIsNeeded) {
            if problem.code == Code::Deadline {
                problem.code = Code::Unavailable;
            }
            if problem.retry_at.is_none() {
                let now = self.clock.now();
                problem.retry_at = Some(now.unix_of(now.boot.after(ASK_AGAIN)));
            }
        }
        problem.ended_early(early)
    }

    async fn wait_on(
        &self,
        max_wait: Duration,
        ask: impl Fn(Responder) -> Command,
        good: impl Fn(&View, BootInstant) -> bool,
    ) -> Option<EarlyEnd> {
        let deadline = self.clock.now().boot.after(max_wait);
        let mut seen = self.view.clone();
        // Judge one view at a time, because an attempt may begin between two reads.
        let look = |seen: &mut watch::Receiver<View>| {
            let view = seen.borrow_and_update();
            if good(&view, self.clock.now().boot) {
                Outlook::Good
            } else if view.attempting {
                Outlook::Attempt
            } else if view.rejected || view.block.is_some() || view.next_attempt.is_none() {
                Outlook::Unreachable(None)
            } else if view.next_attempt.is_some_and(|next| next >= deadline) {
                Outlook::Unreachable(Some(EarlyEnd::NextAttemptIsLater))
            } else {
                Outlook::Later
            }
        };
        loop {
            match look(&mut seen) {
                Outlook::Good => return None,
                Outlook::Attempt => {}
                Outlook::Unreachable(_) | Outlook::Later => {
                    let (done, stepped) = oneshot::channel();
                    if self.commands.send(ask(done)).await.is_err() || stepped.await.is_err() {
                        return None;
                    }
                    match look(&mut seen) {
                        Outlook::Good => return None,
                        Outlook::Unreachable(early) => return early,
                        Outlook::Attempt | Outlook::Later => {}
                    }
                }
            }
            if seen.changed().await.is_err() {
                return None;
            }
        }
    }

    /// Returns what a caller gets now: the held token if it is valid, else the reason.
    pub(super) fn judge(&self, min_valid: Duration) -> Result<ServedToken, Problem> {
        let now = self.clock.now();
        let view = self.view.borrow();
        if let Some(served) = served(&view, now, min_valid) {
            return Ok(served);
        }
        let code = match &view.block {
            Some(block) => code_of(block),
            None if view.rejected => Code::RejectedByProvider,
            None if view.attempting => Code::Deadline,
            // Without a token, the first rejection gets the same answer as one that opens the circuit breaker.
            None if view.is_refused() => Code::RejectedByProvider,
            None => Code::Unavailable,
        };
        let retry_at = view.next_attempt.map(|at| now.unix_of(at.max(now.boot)));
        Err(self.problem(code).until(retry_at))
    }

    /// Builds the problem of a request that fails with this code, with the advice for a user.
    pub(super) fn problem(&self, code: Code) -> Problem {
        let problem = Problem::new(code).of(&self.name);
        match code {
            Code::RejectedByProvider if self.is_read_only.load(Ordering::Relaxed) => {
                problem.with_detail(REJECTED_SOURCE)
            }
            _ => problem,
        }
    }

    /// Waits at most `wait` until a valid token is held or the profile rests. This does not count as a request for a
    /// token: a probe must not keep a profile from resting.
    ///
    /// # Errors
    /// The [`Problem`] says why no valid token is held.
    pub async fn ready(&self, wait: impl Into<WaitLimit>) -> Result<(), Problem> {
        let mut seen = self.view.clone();
        let ready = async {
            while !seen.borrow_and_update().ready(self.clock.now().boot) {
                if seen.changed().await.is_err() {
                    return;
                }
            }
        };
        // The view is judged below, whether the wait succeeded or timed out.
        let early = wait.into().run(ready).await.err().flatten();
        if self.view.borrow().ready(self.clock.now().boot) {
            return Ok(());
        }
        let judged = self.judge(Duration::ZERO).map(|_| ());
        judged.map_err(|problem| self.early(problem, early))
    }
}

/// Returns the token of a view, if it is valid at that moment.
fn served(view: &View, at: Now, min_valid: Duration) -> Option<ServedToken> {
    let held = Arc::clone(view.valid(at.boot)?);
    let freshness = if !is_long(view, at.boot, min_valid) {
        Freshness::Short
    } else if view.reported {
        Freshness::Reported
    } else {
        Freshness::Good
    };
    Some(ServedToken {
        held,
        freshness,
        at,
    })
}

/// Whether a view shows a token with at least `min_valid` left, clamped to half its lifetime.
pub(super) fn is_long(view: &View, now: BootInstant, min_valid: Duration) -> bool {
    view.valid(now).is_some_and(|held| {
        held.validity.remaining(now) >= min_valid.min(held.validity.lifetime / 2)
    })
}

/// Detail for a rejected credential that Jeton does not store.
const REJECTED_SOURCE: &str = "the issuer rejects the credential; 'jeton status' shows its reason, and 'jetond check' the source that has to give another one, since Jeton only reads it";

/// The error code of a blocked profile.
pub(super) const fn code_of(block: &Block) -> Code {
    match block {
        Block::NotEnrolled(_) => Code::NotEnrolled,
        Block::BindingChanged { .. } => Code::BindingChanged,
        Block::Locked => Code::Locked,
        Block::Unusable { .. } => Code::Misconfigured,
    }
}
