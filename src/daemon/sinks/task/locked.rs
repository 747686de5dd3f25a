//! Removal of tokens from the files when the store is locked.

use std::sync::Arc;

use tokio::sync::watch;
use tracing::info;

use super::{Content, Task};
use crate::instant::Now;
use crate::lifecycle::{HeldToken, View};
use crate::wire::SinkState;

impl Task {
    /// Removes the file if the store was locked since the last check, whatever `on-expiry` says. Returns the valid
    /// token that the profile holds now.
    pub(super) async fn heed_locks(
        &mut self,
        view: &mut watch::Receiver<View>,
        now: Now,
    ) -> Option<Arc<HeldToken>> {
        let (held, locks) = {
            let view = view.borrow_and_update();
            (view.valid(now.boot).cloned(), view.locks)
        };
        if self.locks != locks {
            self.locks = locks;
            self.leave(now).await;
        }
        if let Some(path) = self.files.first() {
            self.handle.sinks().record_lock(path, locks);
        }
        held
    }

    /// Removes the file.
    async fn leave(&mut self, now: Now) {
        let path = self.files.first().cloned().unwrap_or_default();
        if self.content.is_none() && self.shown.generation.is_none() {
            return;
        }
        (self.rewrite, self.reremove) = (None, None);
        if let Err(why) = self.calls.remove(&path, now.unix.seconds_down()).await {
            self.reremove = Some(self.later());
            self.content = Some(Content {
                expires: now.boot,
                is_over: false,
            });
            return self.fail(why);
        }
        self.content = None;
        (self.shown.generation, self.shown.expires_at) = (None, None);
        (self.shown.state, self.shown.detail) = (SinkState::Removed, None);
        let profile = self.handle.name();
        info!(%profile, path = %path.display(), "the store was locked: the file with the token is removed");
        self.show();
    }
}
