//! Locks and unlocks the store of encrypted files.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::oneshot;
use tokio::task::JoinSet;
use tracing::info;

use super::Service;
use super::changes::{Change, LockRequest, stopping};
use crate::age_file::Identity;
use crate::daemon::keep::handle::Handle;
use crate::problem::Problem;
use crate::wire::locking::LockReply;

/// How long a lock waits until the token files are removed. On a disk that hangs they are removed later.
const PATIENCE: Duration = Duration::from_secs(3);

impl Service {
    /// Opens records with this identity from now on, and makes each profile with a credential in the store read it. A
    /// profile whose record can be read begins an attempt at once.
    ///
    /// # Errors
    /// `bad_request` for a text that is no identity, or `conflict` if the configuration names another identity.
    pub(in crate::daemon) async fn unlock(&self, identity: &str) -> Result<LockReply, Problem> {
        let identity = Identity::parse(identity)
            .map_err(|_| Problem::bad_request("the body holds no X25519 identity of age"))?;
        let unlocked = self.change_lock(Some(identity)).await?;
        let mut looking = JoinSet::new();
        for handle in &unlocked {
            let handle = Arc::clone(handle);
            looking.spawn(async move { handle.recheck().await });
        }
        while looking.join_next().await.is_some() {}
        info!(
            profiles = unlocked.len(),
            "the store of encrypted files is unlocked"
        );
        Ok(LockReply::of(names(&unlocked), vec![]))
    }

    /// Drops the identity, and removes all credentials and tokens that depend on it from memory and from files.
    ///
    /// # Errors
    /// `unavailable` if the daemon is stopping, which drops them as well.
    pub(in crate::daemon) async fn lock(&self) -> Result<LockReply, Problem> {
        let locked = self.change_lock(None).await?;
        let gone = async {
            for handle in &locked {
                handle.sinks().wait_for_lock(handle.locks()).await;
            }
        };
        // The reply names the files that are left.
        let _: Result<(), _> = tokio::time::timeout(PATIENCE, gone).await;
        let left = locked.iter().flat_map(|handle| handle.sinks().with_token());
        info!(
            profiles = locked.len(),
            "the store of encrypted files is locked"
        );
        Ok(LockReply::of(names(&locked), left.collect()))
    }

    async fn change_lock(&self, identity: Option<Identity>) -> Result<Vec<Arc<Handle>>, Problem> {
        let (done, changed) = oneshot::channel();
        let request = Change::Lock(LockRequest { identity, done });
        self.reloads.send(request).await.map_err(|_| stopping())?;
        changed.await.map_err(|_| stopping())?
    }
}

fn names(handles: &[Arc<Handle>]) -> Vec<String> {
    let names = handles.iter().map(|handle| handle.name().to_string());
    names.collect()
}
