//! A store that is locked while profiles live from it.

use tokio::sync::oneshot;

use super::super::keeper::Command;
use super::Handle;

impl Handle {
    /// How often the store was locked while the profile lived.
    pub fn locks(&self) -> u64 {
        self.view.borrow().locks
    }

    /// Has the keeper forget the credential and the token, and waits for it: no caller gets the token when this returns.
    pub async fn lock(&self) {
        if let Some(lookups) = &self.lookups {
            lookups.abandon();
        }
        let (done, heard) = oneshot::channel();
        // A keeper that has ended holds nothing.
        if self.commands.send(Command::Lock { done }).await.is_ok() {
            let _: Result<_, _> = heard.await;
        }
    }
}
