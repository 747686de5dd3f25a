//! A report that a token was rejected by what it is for.

use std::time::Duration;

use tokio::sync::oneshot;

use super::super::keeper::Command;
use super::Handle;
use super::token::{Served, code_of};
use crate::lifecycle::{Held, View};
use crate::problem::{Code, Problem};
use crate::query::Freshness;
use crate::wire::Rejected;

/// What a reporter is told that waited in vain.
const NO_NEWER: &str =
    "the issuer has given no newer token yet; the one that was reported is still served to others";

impl Handle {
    /// The next token, for whoever says that this one was rejected. The first report of the token held leads to one
    /// refresh, which all others wait for; whoever is late, or names a token that was never ours, gets what is held.
    ///
    /// # Errors
    /// The [`Problem`] says why there is no newer one after `max_wait`: `cooling_down` when reports lead to nothing.
    pub async fn reject(&self, which: &Rejected, max_wait: Duration) -> Result<Served, Problem> {
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
        let report = |done| Command::Reported { generation, done };
        // It has to be heard, also by who may not wait or while an attempt runs. That takes no time that counts: a keeper
        // waits for nothing before it takes the next command. One that is gone has no token to report.
        let (done, heard) = oneshot::channel();
        if self.commands.send(report(done)).await.is_ok() {
            let _: Result<(), _> = heard.await;
        }
        self.wait(max_wait, report, newer).await;
        let now = self.clock.now();
        let view = self.view.borrow();
        if let Some(held) = view.valid(now.boot).filter(|_| newer(&view, now.boot)) {
            return Ok(Served {
                held: held.clone(),
                freshness: Freshness::Good,
                at: now,
            });
        }
        let cooling = view.cooling(now.boot);
        let (code, detail) = match &view.block {
            Some(block) => (code_of(block), None),
            None if view.rejected => (Code::RejectedByProvider, None),
            None if cooling.is_some() => (Code::CoolingDown, None),
            None if view.is_refused() && !view.attempting => (Code::RejectedByProvider, None),
            None => (Code::Unavailable, Some(NO_NEWER)),
        };
        // The next token of its own accord may come before the end of a cool-down.
        let next = view.next_attempt.into_iter().chain(cooling).min();
        let problem = Problem::new(code)
            .of(&self.name)
            .until(next.map(|at| now.unix_of(at.max(now.boot))));
        Err(match detail {
            Some(detail) => problem.with_detail(detail),
            None => problem,
        })
    }
}

/// Whether a report is of this token.
fn is_of(which: &Rejected, held: &Held) -> bool {
    match which {
        Rejected::Generation(generation) => *generation == held.generation,
        Rejected::Sha256(hash) => *hash == held.token.sha256(),
    }
}
