//! Locking a profile whose store is locked.

use tokio::sync::oneshot;

use super::super::keeper::Command;
use super::Handle;

impl Handle {
    /// Returns how often the store has been locked since the profile started.
    pub fn locks(&self) -> u64 {
        self.view.borrow().locks
    }

    /// Has the keeper drop the credential and the token, and waits until it has. No caller gets the token after this
    /// returns.
    pub async fn lock(&self) {
        if let Some(lookups) = &self.lookups {
            lookups.abandon();
        }
        let (done, heard) = oneshot::channel();
        // A keeper that has ended holds no token.
        if self.commands.send(Command::Lock { done }).await.is_ok() {
            let _: Result<_, _> = heard.await;
        }
    }
}
