//! Refreshes for clients that seem to distrust the held token.

use tracing::info;

use super::Keeper;

impl Keeper {
    /// Refreshes the token of this generation once, unless that could do harm or exceeds the budget of requested
    /// refreshes.
    pub(super) fn doubted(&mut self, generation: u64) {
        let may_replace = self.lifecycle.may_replace(self.now(), generation);
        if may_replace && self.doubted != Some(generation) && self.refresh().is_ok() {
            self.doubted = Some(generation);
            info!(
                generation,
                "a client that keeps its token asked for it a second time: getting a newer one"
            );
        }
    }
}
