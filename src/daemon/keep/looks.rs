//! Looks into the stores of many profiles: whether their credentials were replaced.

use std::sync::Arc;
use std::time::Duration;

use tokio::task::JoinSet;

use super::handle::Handle;

/// How many stores are looked into at a time: a daemon with a thousand profiles needs no more threads for it than one
/// with ten.
pub const AT_A_TIME: usize = 8;

/// How long to wait between two looks, once there are many: each takes a moment of the thread that serves requests.
const PAUSE: Duration = Duration::from_millis(1);

/// Looks into the stores of these profiles, a few at a time.
pub async fn look(profiles: Vec<Arc<Handle>>) {
    let mut looking = JoinSet::new();
    for (number, profile) in profiles.into_iter().enumerate() {
        if number >= AT_A_TIME {
            tokio::time::sleep(PAUSE).await;
        }
        // A task that is lost has changed nothing: the next reload, or a rejection, has the store read again.
        while looking.try_join_next().is_some() {}
        if looking.len() == AT_A_TIME {
            let _ = looking.join_next().await;
        }
        looking.spawn(async move { profile.recheck().await });
    }
    while looking.join_next().await.is_some() {}
}
