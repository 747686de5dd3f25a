//! Checks of the stores after a reload: whether a credential was replaced.

use std::sync::Arc;
use std::time::Duration;

use tokio::task::JoinSet;
use tracing::info;

use super::super::keep::handle::Handle;
use super::super::keep::rechecks::recheck_all;

/// How long a reload waits for the checks, so that a new secret in a fast store is in use when the reload ends. It does
/// not wait for a slow store, because the configuration already applies. Those checks continue after the reload.
const PATIENCE: Duration = Duration::from_millis(250);

/// The checks of the last reload.
#[derive(Default)]
pub(super) struct Rechecks(JoinSet<()>);

// === impl Looks ===

impl Rechecks {
    /// Checks the stores of these profiles. Cancels the checks that remain from the previous reload.
    pub(super) async fn renew(&mut self, profiles: Vec<Arc<Handle>>) {
        self.0.abort_all();
        while self.0.join_next().await.is_some() {}
        self.0.spawn(recheck_all(profiles));
        let looked = tokio::time::timeout(PATIENCE, self.0.join_next()).await;
        if looked.is_err() {
            info!(
                "a store answers slowly: the reload looks for replaced credentials in the background"
            );
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::super::keep::rechecks::AT_A_TIME;
    use super::*;
    use crate::daemon::testing::{MemoryStore, Play, ScriptedIssuer, keep};

    async fn handles(store: &Arc<MemoryStore>, count: usize) -> Vec<Arc<Handle>> {
        let granted = Play::Grant {
            secs: 1_000,
            after: Duration::ZERO,
        };
        let issuer = ScriptedIssuer::new(&vec![granted; 2 * count]);
        let handles: Vec<_> = (0..count).map(|_| keep(&issuer, store).0).collect();
        tokio::time::sleep(Duration::from_secs(1)).await;
        assert_eq!(issuer.seen().len(), count);
        handles
    }

    #[tokio::test(start_paused = true)]
    async fn only_a_few_stores_are_rechecked_at_a_time() {
        let store = MemoryStore::new(Some("secret"));
        let handles = handles(&store, 2 * AT_A_TIME + 1).await;
        store.slow(Duration::from_millis(700));
        let start = crate::clock::from_now(Duration::ZERO);
        let mut looks = Rechecks::default();
        looks.renew(handles).await;
        looks.0.join_next().await.unwrap().unwrap();
        let took = start.elapsed().as_millis();
        assert!((2_100..2_200).contains(&took), "{took}");
    }

    #[tokio::test(start_paused = true)]
    async fn a_reload_does_not_wait_for_slow_stores_but_still_rechecks_them() {
        let store = MemoryStore::new(Some("old"));
        let handles = handles(&store, 3 * AT_A_TIME).await;
        let last = Arc::clone(handles.last().unwrap());
        // A profile without a valid token uses a new credential at once.
        tokio::time::sleep(Duration::from_secs(3_600)).await;
        assert!(!last.is_ready());
        store.slow(Duration::from_secs(2));
        let (start, mut looks) = (crate::clock::from_now(Duration::ZERO), Rechecks::default());
        looks.renew(handles).await;
        assert_eq!(start.elapsed(), PATIENCE);
        store.set("new");
        let before = last.generation();
        tokio::time::sleep(Duration::from_secs(7)).await;
        assert!(last.generation() > before, "the credential was taken up");
    }
}
