//! Tokens that the issuer gave to the same client without this keeper.

use tracing::info;

use super::Keeper;
use super::command::CommandResult;
use crate::instant::BootInstant;
use crate::lifecycle::Event;

impl Keeper {
    /// Handles the news that the issuer gave the client another token at this moment. Logs one line if the held token
    /// has to be replaced.
    pub(super) fn superseded(&mut self, at: BootInstant) -> CommandResult {
        let was_reported = self.lifecycle.view().reported;
        self.tell(Event::Superseded { at });
        let view = self.lifecycle.view();
        if view.reported && !was_reported {
            info!(
                generation = view.generation,
                "the issuer gave this client another token, which may have ended this one: getting a newer one"
            );
        }
        let cooling_until = None;
        CommandResult { cooling_until }
    }
}
