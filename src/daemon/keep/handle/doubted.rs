//! Serves a client that seems to doubt the token that it has.

use std::time::Duration;

use tokio::sync::oneshot;

use super::super::keeper::Command;
use super::super::patience::Patience;
use super::Handle;
use super::token::Served;
use crate::problem::Problem;

impl Handle {
    /// Returns the next token to a client that seems to doubt the one of this generation, if it comes within `max_wait`;
    /// else the held one. At most one refresh follows for a generation, inside the budget of requested refreshes.
    ///
    /// # Errors
    /// As [`Handle::token`], if the held token ends meanwhile.
    pub async fn instead_of(
        &self,
        generation: u64,
        max_wait: impl Into<Patience>,
    ) -> Result<Served, Problem> {
        let max_wait = max_wait.into();
        let (done, heard) = oneshot::channel();
        let mut seen = self.view.clone();
        let ended = async {
            let asked = Command::Doubted { generation, done };
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
        // The view is judged below, whether the wait ended or timed out.
        let early = max_wait.run(ended).await.err().flatten();
        self.judge(Duration::ZERO)
            .map_err(|problem| self.early(problem, early))
    }
}
