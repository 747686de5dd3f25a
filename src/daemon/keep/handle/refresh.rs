//! Refreshes that a user requests.

use tokio::sync::oneshot;

use super::super::keeper::{Command, RefreshRefused};
use super::super::wait_limit::WaitLimit;
use super::Handle;
use super::token::code_of;
use crate::problem::{Code, Problem};

/// Detail for an attempt that failed while a token is held.
const NOT_GIVEN: &str = "the issuer gave no new token; the held token is still served while it is valid, and 'jeton status' shows why";

/// Detail for an attempt that must not begin yet while a token is held.
const HELD_BACK: &str = "the issuer must not be asked yet, since it stated a wait, may be starting up, or too many attempts have failed; the held token is still served while it is valid";

impl Handle {
    /// Requests a new token now, if the budget allows it, and waits at most `max_wait` for it.
    ///
    /// # Errors
    /// The [`Problem`] says why there is no new token, and when a caller may ask again.
    pub async fn refresh(&self, max_wait: impl Into<WaitLimit>) -> Result<(), Problem> {
        let max_wait = max_wait.into();
        let gone = || Problem::new(Code::Unavailable).of(&self.name);
        let (reply, answer) = oneshot::channel();
        self.commands
            .send(Command::Refresh { reply })
            .await
            .map_err(|_| gone())?;
        let before = answer.await.map_err(|_| gone())?.map_err(|refused| {
            let is_held_back = matches!(refused, RefreshRefused::HeldBack { .. });
            let (code, at) = match refused {
                RefreshRefused::Rejected { until } => (Code::RejectedByProvider, until),
                RefreshRefused::TooMany { until } => (Code::TooManyRequests, Some(until)),
                RefreshRefused::HeldBack { until } => (Code::Unavailable, Some(until)),
            };
            let now = self.clock.now();
            let problem = self.problem(code).until(at.map(|at| now.unix_of(at)));
            match is_held_back && self.view.borrow().valid(now.boot).is_some() {
                true => problem.with_detail(HELD_BACK),
                false => problem,
            }
        })?;
        let mut seen = self.view.clone();
        let ended = async {
            loop {
                let view = seen.borrow_and_update().clone();
                if view.refreshes > before || !view.attempting || seen.changed().await.is_err() {
                    return view.refreshes > before;
                }
            }
        };
        let early = match max_wait.run(ended).await {
            Ok(true) => return Ok(()),
            Ok(false) => None,
            Err(early) => early,
        };
        let now = self.clock.now();
        let view = self.view.borrow();
        let code = if view.attempting {
            Code::Deadline
        } else if view.is_refused() {
            Code::RejectedByProvider
        } else {
            Code::Unavailable
        };
        let retry_at = view.next_attempt.map(|at| now.unix_of(at));
        if let Some(block) = &view.block {
            return Err(self.problem(code_of(block)).until(retry_at));
        }
        let problem = self.problem(code).until(retry_at);
        let is_held = view.valid(now.boot).is_some();
        let problem = match code {
            // The text of this problem already says what the user has to do.
            Code::RejectedByProvider => problem,
            _ if is_held => problem.with_detail(NOT_GIVEN),
            // The texts of the other problems do so as well if the profile holds no token.
            _ => problem,
        };
        Err(self.early(problem, early))
    }
}
