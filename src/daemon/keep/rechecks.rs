//! Rechecks of the stored credentials of many profiles.

use std::sync::Arc;
use std::time::Duration;

use tokio::task::JoinSet;

use super::handle::Handle;

/// Maximum number of stores that are read at once, so that a daemon with a thousand profiles needs no more threads for
/// it than one with ten.
pub const AT_A_TIME: usize = 8;

/// Pause before each further recheck once there are many, because each one takes a moment of the thread that serves
/// requests.
const PAUSE: Duration = Duration::from_millis(1);

/// Rechecks the stored credentials of these profiles, a few at a time.
pub async fn recheck_all(profiles: Vec<Arc<Handle>>) {
    let mut looking = JoinSet::new();
    for (number, profile) in profiles.into_iter().enumerate() {
        if number >= AT_A_TIME {
            tokio::time::sleep(PAUSE).await;
        }
        // Ignore a lost task: it has changed nothing, and the next reload or rejection reads the store again.
        while looking.try_join_next().is_some() {}
        if looking.len() == AT_A_TIME {
            let _ = looking.join_next().await;
        }
        looking.spawn(async move { profile.recheck().await });
    }
    while looking.join_next().await.is_some() {}
}
