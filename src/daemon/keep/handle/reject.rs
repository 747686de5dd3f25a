//! Reports that a resource rejected a token.

use std::time::Duration;

use tokio::sync::oneshot;

use super::super::keeper::Command;
use super::super::wait_limit::WaitLimit;
use super::Handle;
use super::token::{ServedToken, code_of};
use crate::lifecycle::{HeldToken, Reporter, View};
use crate::problem::{Code, Problem};
use crate::query::Freshness;
use crate::wire::Rejected;

/// Detail for a reporter whose wait ended before a newer token came.
const NO_NEWER: &str =
    "the issuer has given no newer token yet; the reported one is still served to others";

impl Handle {
    /// Returns the next token to a caller that reports this one as rejected. The first report of the held token leads
    /// to one refresh, and further reporters wait for the same refresh. A report of an older or an unknown token gets
    /// the held token.
    ///
    /// # Errors
    /// The [`Problem`] says why there is no newer token after `max_wait`. It is `cooling_down` while reports cause no
    /// refresh.
    pub async fn reject(
        &self,
        which: &Rejected,
        reporter: Reporter,
        max_wait: impl Into<WaitLimit>,
    ) -> Result<ServedToken, Problem> {
        let max_wait = max_wait.into();
        let held = self.view.borrow().held.clone();
        let Some(held) = held.filter(|held| is_of(which, held)) else {
            return self.token(Duration::ZERO, max_wait).await;
        };
        let generation = held.generation;
        let newer = |view: &View, now| {
            view.valid(now)
                .is_some_and(|held| held.generation != generation)
        };
        self.asked.at(self.clock.now().boot);
        let report = |done| Command::Reported {
            generation,
            reporter,
            done,
        };
        // Send the report even if the caller may not wait or an attempt runs. The send is quick, because a keeper never
        // blocks between commands. A keeper that has ended has no token to report.
        let (done, heard) = oneshot::channel();
        let heard = match self.commands.send(report(done)).await {
            Ok(()) => heard.await.ok(),
            Err(_) => None,
        };
        let cooling = heard.and_then(|heard| heard.cooling_until);
        let early = self.wait(&max_wait, report, newer).await;
        let now = self.clock.now();
        let view = self.view.borrow();
        if let Some(held) = view.valid(now.boot).filter(|_| newer(&view, now.boot)) {
            return Ok(ServedToken {
                held: held.clone(),
                freshness: Freshness::Good,
                at: now,
            });
        }
        // Meanwhile another caller may have caused a refresh, or the refresh may have failed.
        let cooling = cooling.filter(|until| now.boot < *until && view.cooling(now.boot).is_some());
        let (code, detail) = match &view.block {
            Some(block) => (code_of(block), None),
            None if view.rejected => (Code::RejectedByProvider, None),
            None if cooling.is_some() => (Code::CoolingDown, None),
            None if view.is_refused() && !view.attempting => (Code::RejectedByProvider, None),
            None => (Code::Unavailable, Some(NO_NEWER)),
        };
        // The next scheduled attempt may be due before the cool-down ends.
        let next = view.next_attempt.into_iter().chain(cooling).min();
        let problem = self
            .problem(code)
            .until(next.map(|at| now.unix_of(at.max(now.boot))));
        // The text of a cool-down already says when it ends.
        let problem = self.early(problem, early.filter(|_| code != Code::CoolingDown));
        Err(match detail {
            Some(detail) => problem.with_detail(detail),
            None => problem,
        })
    }
}

/// Whether a report is about this token.
fn is_of(which: &Rejected, held: &HeldToken) -> bool {
    match which {
        Rejected::Generation(generation) => *generation == held.generation,
        Rejected::Sha256(hash) => *hash == held.token.sha256(),
    }
}
