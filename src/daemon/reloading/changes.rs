//! Carries out what the admin socket asks for: one change at a time, so that no profile is made while others are locked.

use super::super::service::{Change, LockRequest, ReloadRequest};
use super::Reloading;

impl Reloading {
    /// Carries out a change, and answers its caller, who may have gone away. Returns whether a configuration was read.
    pub async fn carry_out(&mut self, change: Change) -> bool {
        match change {
            Change::Reload(ReloadRequest { query, asked, done }) => {
                let result = self.reload(&query, asked).await;
                let _: Result<(), _> = done.send(result);
                true
            }
            Change::Lock(LockRequest { identity, done }) => {
                let result = match identity {
                    Some(identity) => self.wiring.unlock(identity),
                    None => Ok(self.wiring.lock().await),
                };
                let _: Result<(), _> = done.send(result);
                false
            }
        }
    }
}
