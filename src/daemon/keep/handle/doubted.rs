//! Replacement of a token that its client seems to distrust.

use std::time::Duration;

use tokio::sync::oneshot;

use super::super::keeper::Command;
use super::super::wait_limit::WaitLimit;
use super::Handle;
use super::token::ServedToken;
use crate::problem::Problem;

impl Handle {
    /// Returns a newer token than that of `generation` if one comes within `max_wait`, else the held one. Call it for a
    /// client that asks again for a token that it already has, and so seems to distrust it. Each generation causes at
    /// most one refresh, inside the budget of requested refreshes.
    ///
    /// # Errors
    /// As [`Handle::token`], if the held token expires meanwhile.
    pub async fn instead_of(
        &self,
        generation: u64,
        max_wait: impl Into<WaitLimit>,
    ) -> Result<ServedToken, Problem> {
        let max_wait = max_wait.into();
        let (done, heard) = oneshot::channel();
        let mut seen = self.view.clone();
        let ended = async {
            let asked = Command::TokenDoubted { generation, done };
            // A keeper that has ended has no newer token.
            if self.commands.send(asked).await.is_err() || heard.await.is_err() {
                return;
            }
            loop {
                let awaited = {
                    let view = seen.borrow_and_update();
                    view.attempting && view.generation == generation
                };
                if !awaited || seen.changed().await.is_err() {
                    return;
                }
            }
        };
        // The view is judged below, whether the wait succeeded or timed out.
        let early = max_wait.run(ended).await.err().flatten();
        self.judge(Duration::ZERO)
            .map_err(|problem| self.early(problem, early))
    }
}
