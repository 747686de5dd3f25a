//! Carries out requests of the admin socket, one at a time, so that no profile is created while others are being
//! locked.

use super::super::service::{Change, LockRequest, ReloadRequest};
use super::Reloading;

impl Reloading {
    /// Carries out a change and answers its caller, which may have gone away. Returns whether a configuration was read.
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
